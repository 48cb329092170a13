import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { CredentialProvider, Minted, MintOrder } from '@mayfly/credentials';
import { mintOrder } from '../mint-order.js';

/** An open session of a credential. */
export interface OpenUse {
  /** True when the session can do now what its scope allows. */
  works(): Promise<boolean>;
}

/** One lease of the suite. */
export interface HostileLease<Handle> {
  readonly handle: Handle;
  readonly secret: Minted<Handle>['secret'];
}

/** An attack that an agent can make with only its own credential. */
export interface Misdeed<Handle> {
  /** completes "an agent that …" */
  readonly name: string;
  /** Attacks with the credential of `culprit`, if possible against `victim`, until the returned function is called. */
  readonly commit: (culprit: HostileLease<Handle>, victim: HostileLease<Handle>) => Promise<() => Promise<void>>;
}

export interface HostileSubject<Config, Scope, Handle> {
  readonly provider: CredentialProvider<Config, Scope, Handle>;
  readonly config: Config;
  readonly scope: Scope;
  isAlive(secret: Minted<Handle>['secret']): Promise<boolean>;
  open(secret: Minted<Handle>['secret']): Promise<OpenUse>;
  close(): Promise<void>;
}

/**
 * Tests that no attack with one lease keeps another lease, or the lease itself, alive. During the attack the other
 * lease ends with proof; then the attacker's own lease ends, and a new lease can be minted. A use of each session
 * proves the end, never a state.
 */
export function hostileLeaseSuite<Config, Scope, Handle>(
  name: string,
  misdeeds: readonly Misdeed<Handle>[],
  makeSubject: () => Promise<HostileSubject<Config, Scope, Handle>>,
): void {
  describe(`${name} ends leases against the will of an agent`, () => {
    let subject: HostileSubject<Config, Scope, Handle>;
    beforeAll(async () => {
      subject = await makeSubject();
    });
    afterAll(() => subject.close());

    const mint = async (): Promise<HostileLease<Handle> & { order: MintOrder<Config, Scope> }> => {
      const ordered = mintOrder(subject.config, subject.scope, new Date());
      const planned = subject.provider.plan(ordered);
      const signal = AbortSignal.timeout(20_000);
      const { handle, secret } = await subject.provider.mint(ordered, planned, signal, () => Promise.resolve(true));
      return { order: ordered, handle, secret };
    };
    /** Revokes as the worker does: repeats until there is proof. */
    const end = async ({ order: ordered, handle }: Awaited<ReturnType<typeof mint>>): Promise<void> => {
      const details = new Set<string>();
      const giveUpAt = performance.now() + 30_000;
      while (performance.now() < giveUpAt) {
        const outcome = await subject.provider.revoke({ ...ordered, handle }, AbortSignal.timeout(10_000));
        if (outcome.kind === 'revoked' || outcome.kind === 'already_gone') return;
        details.add('detail' in outcome ? outcome.detail : outcome.kind);
      }
      expect([...details]).toEqual(['revoked']);
    };

    it.each(misdeeds)(
      'the provider ends the lease of an agent that $name, and every other lease',
      async ({ commit }) => {
        const [culprit, victim] = [await mint(), await mint()];
        const [ownUse, use] = [await subject.open(culprit.secret), await subject.open(victim.secret)];
        expect([await ownUse.works(), await use.works()]).toEqual([true, true]);
        const stop = await commit(culprit, victim);
        try {
          await end(victim);
          expect([await use.works(), await subject.isAlive(victim.secret)]).toEqual([false, false]);
          await end(culprit);
          expect([await ownUse.works(), await subject.isAlive(culprit.secret)]).toEqual([false, false]);
          const next = await mint();
          expect(await subject.isAlive(next.secret)).toBe(true);
          await end(next);
        } finally {
          await stop();
        }
      },
    );
  });
}
