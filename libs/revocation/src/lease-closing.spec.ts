import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { MAYFLY } from '@mayfly/audit';
import type { RevocationOutcome } from '@mayfly/credentials';
import { addSeconds, Problem } from '@mayfly/kernel';
import { FakeTaskStores, holdDeadlines, IssuanceService, templateOf } from '@mayfly/testing';
import type { TaskEndCause } from '@mayfly/tasks';

const credential = (connection: string) => ({
  ...{ name: connection, provider: 'dummy', connection },
  scope: { permissions: ['cases:read'] },
});
type Grant = Awaited<ReturnType<IssuanceService<FakeTaskStores>['issue']>>;
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

describe('LeaseClosing', () => {
  let stores: FakeTaskStores;
  let service: IssuanceService<FakeTaskStores>;

  beforeEach(async () => {
    stores = new FakeTaskStores();
    service = new IssuanceService(stores);
    await service.publish();
  });

  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('LeaseClosing keeps what a target acknowledged, gives it to the next call, and waits no longer than it was told', async () => {
    const grant = await service.issue();
    const effectiveAt = addSeconds(stores.scene.clock.now(), 30);
    const pending = { kind: 'not_yet', detail: 'IAM applies it', retryAfterSeconds: 30, effectiveAt } as const;
    const revoking = jest.spyOn(service.dummy, 'revoke').mockResolvedValue(pending);
    await end(grant);
    expect(await leasesOf(grant)).toMatchObject([{ state: 'revoking', revokeEffectiveAt: effectiveAt }]);
    revoking.mockResolvedValue({ kind: 'revoked', effectiveAt });
    await stores.scene.advance(31);
    await sweep();
    expect(revoking.mock.lastCall?.[0]).toMatchObject({ effectiveAt });
    expect(await leasesOf(grant)).toMatchObject([{ state: 'revoked', revokeEffectiveAt: effectiveAt }]);
  });

  const now = () => stores.scene.clock.now();
  const leasesOf = ({ plan }: Grant) => stores.scene.leases(plan.task.id);
  const end = ({ plan }: Grant, cause: TaskEndCause = 'completed') =>
    service.ending.end({ taskId: plan.task.id, cause, actor: MAYFLY });
  const answerRevocationsWith = (outcome: RevocationOutcome) =>
    jest.spyOn(service.dummy, 'revoke').mockResolvedValue(outcome);
  const sweep = async (limit = 100) => {
    const claimed = await service.closing.sweep(limit);
    await service.closing.settled();
    return claimed;
  };

  describe('by outcome and cause', () => {
    const later = (seconds: number) => addSeconds(new Date('2030-01-01T00:00:00.250Z'), seconds);

    it.each<[TaskEndCause, RevocationOutcome, object]>([
      ['completed', { kind: 'revoked' }, { state: 'revoked', revokeEffectiveAt: later(0) }],
      ['completed', { kind: 'already_gone' }, { state: 'revoked', revokeEffectiveAt: later(0) }],
      ['completed', { kind: 'revoked', effectiveAt: later(30) }, { state: 'revoked', revokeEffectiveAt: later(30) }],
      ['expired', { kind: 'revoked' }, { state: 'expired', revokeEffectiveAt: later(0) }],
      ['expired', { kind: 'already_gone' }, { state: 'expired', revokeEffectiveAt: later(0) }],
      ['revoked', { kind: 'impossible' }, { state: 'revoking', dueAt: later(600) }],
      ['expired', { kind: 'impossible' }, { state: 'revoking', dueAt: later(600) }],
      [
        'revoked',
        { kind: 'not_yet', detail: 'on its way' },
        { state: 'revoking', lastError: 'on its way', dueAt: later(2) },
      ],
      [
        'expired',
        { kind: 'unknown', detail: 'no answer' },
        { state: 'revoking', lastError: 'no answer', dueAt: later(2) },
      ],
      ['failed', { kind: 'not_yet', detail: 'x', retryAfterSeconds: 45 }, { state: 'revoking', dueAt: later(45) }],
    ])('a closing with %s and %j gives %j', async (cause, outcome, expected) => {
      const grant = await service.issue();
      answerRevocationsWith(outcome);
      await end(grant, cause);
      expect(await leasesOf(grant)).toMatchObject([expected]);
    });

    it.each([
      ['a problem', new Problem('provider_unavailable', 'the target is down'), 'the target is down'],
      ['any other error', new Error('password hunter2'), 'the provider failed unexpectedly; try again later'],
    ])('a closing takes %s that a provider throws for no proof', async (_, error, lastError) => {
      const grant = await service.issue();
      jest.spyOn(service.dummy, 'revoke').mockRejectedValue(error);
      await end(grant);
      expect(await leasesOf(grant)).toMatchObject([{ state: 'revoking', lastError }]);
    });

    it('a closing records `expired` for a credential without revocation only after its expiry', async () => {
      await service.publish(
        templateOf({ credentials: [{ name: 'token', provider: 'local', scope: { audience: 'cases' } }] }),
      );
      const grant = await service.issue();
      await end(grant, 'revoked');
      expect(await leasesOf(grant)).toMatchObject([{ state: 'revoking', dueAt: grant.plan.task.expiresAt }]);
      await stores.scene.advance(600);
      await sweep();
      expect(await leasesOf(grant)).toMatchObject([
        { state: 'expired', endCause: 'revoked', revokeEffectiveAt: grant.plan.task.expiresAt },
      ]);
    });
  });

  it('a closing gives the provider the handle to end, and nothing more', async () => {
    const grant = await service.issue();
    const revoke = jest.spyOn(service.dummy, 'revoke');
    await end(grant);
    const [{ id, handle, order }] = grant.plan.leases as [(typeof grant.plan.leases)[0]];
    expect(revoke.mock.calls.map(([first]) => first)).toEqual([
      { leaseId: id, config: {}, handle, expiresAt: order.expiresAt },
    ]);
  });

  it('LeaseClosing revokes where it minted, though the connection was deleted since', async () => {
    const grant = await service.issue();
    service.disconnect('crm');
    await end(grant);
    expect(await leasesOf(grant)).toMatchObject([{ state: 'revoked' }]);
    expect(service.dummy.live()).toEqual([]);
  });

  it('LeaseClosing does not take a handle that cannot be opened for proof', async () => {
    const grant = await service.issue();
    const [lease] = stores.scene.leasesOf(grant.plan.task.id);
    stores.scene.commit({ leases: [{ ...lease!, sealedHandle: Buffer.from('moved here') }] });
    await end(grant);
    expect(await leasesOf(grant)).toMatchObject([{ state: 'revoking' }]);
  });

  it('LeaseClosing logs the first failure of a lease, and none of those that follow', async () => {
    const grant = await service.issue();
    const [{ id: leaseId }] = grant.plan.leases as [(typeof grant.plan.leases)[0]];
    jest.spyOn(service.dummy, 'revoke').mockResolvedValue({ kind: 'unknown', detail: 'no answer' });
    await end(grant);
    for (let n = 0; n < 3; n += 1) {
      await stores.scene.advance(60);
      await sweep();
    }
    expect(await leasesOf(grant)).toMatchObject([{ attempts: 4 }]);
    expect(service.failures).toEqual([
      {
        text: 'the revocation of a lease failed; Mayfly tries again',
        ...{ leaseId, taskId: grant.plan.task.id, agent: 'support-agent', provider: 'dummy', connection: 'crm' },
        error: 'no answer',
      },
    ]);
  });

  it('LeaseClosing backs off to a minute, and never stops', async () => {
    const grant = await service.issue();
    answerRevocationsWith({ kind: 'unknown', detail: 'no answer' });
    await end(grant);
    const pauses: number[] = [];
    for (let attempt = 0; attempt < 12; attempt += 1) {
      const { dueAt } = (await leasesOf(grant))[0]!;
      const pause = (dueAt!.getTime() - now().getTime()) / 1000;
      pauses.push(pause);
      await stores.scene.advance(pause);
      expect(await sweep()).toBe(1);
    }
    expect(pauses).toEqual([2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60, 60]);
  });

  it('LeaseClosing takes a provider that hangs for 10 s for one that did not answer', async () => {
    const grant = await service.issue();
    const deadlines = holdDeadlines();
    jest.spyOn(service.dummy, 'revoke').mockReturnValue(new Promise(() => undefined));
    const ending = end(grant);
    while (deadlines.seconds.length === 0) await nextTurn();
    expect(deadlines.seconds).toEqual([10]);
    deadlines.strike();
    await ending;
    expect(await leasesOf(grant)).toMatchObject([{ state: 'revoking', attempts: 1 }]);
  });

  describe('with a connection that hangs', () => {
    let grant: Grant;
    let release: () => void;

    beforeEach(async () => {
      await service.publish(templateOf({ credentials: [credential('slow'), credential('quick')] }));
      grant = await service.issue();
      const slow = grant.plan.leases[0]!.id;
      const revoke = service.dummy.revoke.bind(service.dummy);
      const gate = new Promise<void>((resolve) => (release = resolve));
      jest.spyOn(service.dummy, 'revoke').mockImplementation(async (order) => {
        if (order.leaseId === slow) await gate;
        return revoke(order);
      });
    });

    it('a sweep with a hanging connection records the result of another one at once', async () => {
      await stores.scene.advance(600);
      expect(await service.closing.sweep(10)).toBe(2);
      for (let turn = 0; turn < 10; turn += 1) await nextTurn();
      expect((await leasesOf(grant)).map(({ state }) => state)).toEqual(['revoking', 'expired']);
      release();
      await service.closing.settled();
      expect((await leasesOf(grant)).map(({ state }) => state)).toEqual(['expired', 'expired']);
    });

    it('a sweep with a hanging connection does not hold up the next sweep', async () => {
      await stores.scene.advance(600);
      await service.closing.sweep(10);
      expect(await service.closing.sweep(10)).toBe(0);
      release();
      await service.closing.settled();
    });
  });

  it('LeaseClosing closes at most 32 leases of one connection at once, however many are due', async () => {
    const grants = await Promise.all(Array.from({ length: 34 }, () => service.issue({ ttlSeconds: 60 })));
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const revoke = jest.spyOn(service.dummy, 'revoke').mockImplementation(async () => {
      await gate;
      return { kind: 'revoked' };
    });
    await stores.scene.advance(60);
    expect(await service.closing.sweep(200)).toBe(32);
    expect(await service.closing.sweep(200)).toBe(0);
    while (revoke.mock.calls.length < 32) await nextTurn();
    release();
    await service.closing.settled();
    expect(await sweep()).toBe(2);
    const states = await Promise.all(grants.map(async (grant) => (await leasesOf(grant))[0]?.state));
    expect(new Set(states)).toEqual(new Set(['expired']));
  });

  it('LeaseClosing closes one lease when it is due, not before, and not a second time', async () => {
    const grant = await service.issue();
    const { id } = grant.plan.leases[0]!;
    await service.closing.closeIfDue(id);
    expect(await leasesOf(grant)).toMatchObject([{ state: 'active' }]);
    await stores.scene.advance(600);
    await service.closing.closeIfDue(id);
    await service.closing.closeIfDue(id);
    expect(await leasesOf(grant)).toMatchObject([{ state: 'expired', attempts: 1 }]);
  });

  it('LeaseClosing reports results that could not be written; the lease comes round again', async () => {
    const grant = await service.issue();
    await stores.scene.advance(600);
    stores.closing.beforeRecord = () => Promise.reject(new Problem('unavailable', 'the database is down'));
    expect(await sweep()).toBe(1);
    expect(service.reports).toMatchObject([{ code: 'unavailable' }]);
    stores.closing.beforeRecord = async () => undefined;
    expect(await sweep()).toBe(0);
    await stores.scene.advance(31);
    expect(await sweep()).toBe(1);
    expect(await leasesOf(grant)).toMatchObject([{ state: 'expired' }]);
  });

  it('LeaseClosing rejects a sweep whose claims cannot be read', async () => {
    stores.scene.down = true;
    await expect(service.closing.sweep(1)).rejects.toMatchObject({ code: 'unavailable' });
  });
});
