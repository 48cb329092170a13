import type { RevocationOutcome } from '@mayfly/credentials';
import { setTimeout as pause } from 'node:timers/promises';
import { accountOf } from './aws-accounts.js';
import type { Principal } from './aws-fake/account.js';
import { AwsFake } from './aws-fake/aws-fake.js';
import { AwsTarget, type AwsOrder } from './aws-target.js';

/** A target on the fake, with access to the fake's state. */
export class FakeAwsTarget {
  private constructor(
    readonly fake: AwsFake,
    readonly target: AwsTarget,
    /** ARN of a role that trusts the connection */
    readonly role: string,
  ) {}

  static async open(): Promise<FakeAwsTarget> {
    const fake = await AwsFake.start();
    const target = await AwsTarget.open(accountOf(fake));
    return new FakeAwsTarget(fake, target, await target.createRole());
  }

  /** Returns every session that was ever created for the lease. */
  sessionsOf({ leaseId }: AwsOrder): Principal[] {
    return [...this.fake.account.principals.values()].filter(({ session }) => session?.name === leaseId);
  }

  /** Returns the number of the lease's sessions that could read now, for any holder of their secrets. */
  usable(order: AwsOrder): number {
    const { account } = this.fake;
    const resource = `arn:aws:s3:::${this.target.bucket}/reports/1`;
    return this.sessionsOf(order).filter((one) =>
      account.allows(one, { action: 's3:GetObject', resource, context: account.contextOf(one) }),
    ).length;
  }

  /** Mints and returns the error; `minted` when it succeeds. */
  async failureOf(order: AwsOrder): Promise<unknown> {
    return this.target.mint(order).then(
      () => 'minted',
      (error: unknown) => error,
    );
  }

  /** Repeats the revocation until it is final, as the worker does. */
  async untilRevoked(order: AwsOrder): Promise<RevocationOutcome> {
    for (let effectiveAt: Date | undefined; ;) {
      const outcome = await this.target.revoke(order, this.target.provider, effectiveAt);
      if (outcome.kind === 'revoked' || outcome.kind === 'already_gone') return outcome;
      if (outcome.kind === 'not_yet') effectiveAt = outcome.effectiveAt ?? effectiveAt;
      await pause(100);
    }
  }

  async close(): Promise<void> {
    await this.target.close();
    await this.fake.stop();
  }
}
