import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { addSeconds } from '@mayfly/kernel';
import { AWS_ACCOUNTS, type RunningAccount } from './aws-accounts.js';
import { AwsTarget, patience } from './aws-target.js';

describe.each(AWS_ACCOUNTS)('a database that is older than the deny policy, on %s', (_, start) => {
  let account: RunningAccount;
  let target: AwsTarget;
  beforeAll(async () => {
    account = await start();
    target = await AwsTarget.open(account.aws);
  });
  afterAll(async () => {
    await target.close();
    await account.stop();
  });

  async function leaseOf(roleArn: string) {
    const order = target.orderFor(roleArn);
    return { order, read: target.readerOf(await target.mint(order)) };
  }
  /** A role whose deny policy denies one session, and a process whose database has lost that. */
  const lost = async () => {
    const role = await target.createRole();
    const ended = await leaseOf(role);
    await target.revoke(ended.order);
    expect(await ended.read()).toBe(false);
    const older = target.denyPolicies.restored();
    return { role, ended, older, process: target.anotherProvider(older) };
  };

  it('the denial of a session stays with the next write of a database that does not know the session', async () => {
    const { role, ended, older, process } = await lost();
    const next = await leaseOf(role);
    expect((await target.revoke(next.order, process, undefined, older)).kind).toBe('revoked');
    expect([await ended.read(), await next.read()]).toEqual([false, false]);
    await process.close();
  });

  it('the denial of a session stays with a check, which reports it', async () => {
    const { role, ended, process } = await lost();
    const point = target.revocationPointOf(role);
    for (const _ of [1, 2]) {
      const findings = await process.maintain(target.config(), point, patience());
      expect(findings?.missing).toEqual([]);
      expect(findings?.kept).toMatchObject([{ leaseId: ended.order.leaseId, kept: true }]);
      expect(await ended.read()).toBe(false);
    }
    await process.close();
  });

  it('the denial of a session stays with a test of the connection, which removes no deny policy', async () => {
    const { role, ended, process } = await lost();
    const { checks } = await process.probe(target.config({ roles: [role] }), patience());
    expect(checks.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
    expect(await ended.read()).toBe(false);
    await process.close();
  });

  it('a cut-off stays with the next write of a database that does not know it', async () => {
    const role = await target.createRole();
    const point = target.revocationPointOf(role);
    const cutOff = addSeconds(account.aws.clock.now(), -60);
    const claim = (await target.denyPolicies.claim(point, 30))!;
    await target.denyPolicies.settle((await target.denyPolicies.keep(claim, { names: [], cutOff }, 3_600))!, {
      written: false,
    });
    await target.provider.maintain(target.config(), point, patience());
    const written = `"aws:TokenIssueTime":"${cutOff.toISOString().slice(0, 19)}Z"`;
    expect(await target.document(role)).toContain(written);
    const older = target.denyPolicies.restored();
    const process = target.anotherProvider(older);
    const next = await leaseOf(role);
    await target.revoke(next.order, process, undefined, older);
    expect(await target.document(role)).toContain(written);
    expect(await target.document(role)).toContain(next.order.leaseId);
    await process.close();
  });

  it('a denial that is missing is written again, and the check names it', async () => {
    const role = await target.createRole();
    const { order, read } = await leaseOf(role);
    await target.revoke(order);
    const point = target.revocationPointOf(role);
    target.denyPolicies.acknowledge(point, order.leaseId);
    await target.removeDocument(role);
    const findings = await target.provider.maintain(target.config(), point, patience());
    expect(findings).toEqual({ missing: [order.leaseId], kept: [] });
    expect(await read()).toBe(false);
    expect(await target.provider.maintain(target.config(), point, patience())).toEqual({ missing: [], kept: [] });
  });
});
