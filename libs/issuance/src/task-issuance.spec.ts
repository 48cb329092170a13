import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { MAYFLY } from '@mayfly/audit';
import { addSeconds, CONTROL_NAMES, type JsonObject, newId, Problem, type TaskId } from '@mayfly/kernel';
import { CONTROL_FACTS, permit, type Verdict } from '@mayfly/policy';
import { FakeTaskStores, holdDeadlines, IssuanceService, templateOf } from '@mayfly/testing';
import { openHandle } from '@mayfly/credentials';

const LOCAL = { credentials: [{ name: 'token', provider: 'local', scope: { audience: 'cases' } }] };
const TWO = {
  credentials: ['crm', 'files'].map((name) => ({
    name,
    provider: 'dummy',
    connection: name,
    scope: { permissions: ['cases:read'] },
  })),
};

const closed = (): never => {
  throw new Problem('quarantined', 'the database is older; confirm it');
};

describe('TaskIssuance', () => {
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

  const problemOf = (work: Promise<unknown>): Promise<Problem> =>
    work.then(
      () => Promise.reject(new Error('it was granted')),
      (error: unknown) => error as Problem,
    );
  const auditTypes = () => stores.scene.audit.map(({ type }) => type);
  const onlyTask = () => [...stores.scene.tasks.values()][0]!;
  const taskIdOf = (problem: Problem) => problem.extensions.taskId as TaskId;

  describe('with a provider whose credentials come into being at a target', () => {
    it('issuance takes the steps in their order and answers with the minted credentials', async () => {
      const { plan, minted } = await service.issue();
      expect(service.steps).toEqual([
        ...['load', 'validate', 'decide', 'narrow', 'plan', 'consume', 'open', 'mint', 'check', 'activate', 'answer'],
      ]);
      expect(minted.map(({ secret }) => secret.id)).toEqual(plan.leases.map(({ handle }) => handle.id));
      expect(service.dummy.allows(minted[0]!.secret.token as string, 'emea')).toBe(true);
      expect(auditTypes()).toEqual(['task.granted', 'lease.issued']);
      const due = plan.task.expiresAt;
      expect(await stores.scene.leases(plan.task.id)).toMatchObject([
        { state: 'active', dueAt: due, providerExpiresAt: due },
      ]);
      expect(stores.scene.outbox).toEqual([{ leaseId: plan.leases[0]?.id, reason: 'due', runAt: due }]);
      expect(service.metrics.issuances).toEqual(['dummy issued']);
    });

    it('a gate that closes after the task was opened calls no provider, and the task ends as never minted', async () => {
      const answers = [() => undefined, closed];
      service.gate = () => answers.shift()?.();
      const problem = await problemOf(service.issue());
      expect(problem).toMatchObject({ code: 'quarantined', extensions: { taskId: onlyTask().id } });
      expect(service.steps.at(-1)).toBe('open');
      expect(onlyTask()).toMatchObject({ state: 'failed', endCause: 'issuance_failed' });
      expect(await stores.scene.leases(onlyTask().id)).toMatchObject([{ state: 'failed' }]);
    });

    it('a closed gate opens no task', async () => {
      service.gate = closed;
      expect((await problemOf(service.issue())).code).toBe('quarantined');
      expect([stores.scene.tasks.size, service.steps]).toEqual([0, []]);
    });

    it('a granted task has a permit of every control of a task in its audit entry, so that no control is forgotten', async () => {
      await service.issue();
      const [granted] = stores.scene.audit.map(({ body }) => JSON.parse(body) as { controls: Verdict[] });
      const controls = CONTROL_NAMES.filter((control) => CONTROL_FACTS[control].inTrace);
      expect(granted?.controls).toEqual(
        // No outside decision point is required here.
        controls.map((control) =>
          control === 'decision-point' ? { control, outcome: 'not_evaluated' } : permit(control),
        ),
      );
    });

    it('issuance by a remote provider calls no provider before everything that revocation needs is committed', async () => {
      const mint = jest.spyOn(service.dummy, 'mint').mockImplementation(async (order) => {
        const lease = stores.scene.leaseRows.get(order.leaseId)!;
        expect(lease).toMatchObject({ state: 'minting', mintBy: order.mintBy });
        const { handle, target } = await openHandle(service.sealer, service.targets, lease);
        expect(handle).toEqual(service.dummy.plan(order));
        expect(target.config).toEqual(order.config);
        throw new Problem('provider_rejected', 'seen enough');
      });
      expect(await problemOf(service.issue())).toMatchObject({ detail: 'seen enough' });
      expect(mint).toHaveBeenCalledTimes(1);
    });

    it('issuance by a remote provider keeps the handle as the provider completed it', async () => {
      const mint = service.dummy.mint.bind(service.dummy);
      jest.spyOn(service.dummy, 'mint').mockImplementation(async (order, handle, signal) => {
        const minted = await mint(order, handle, signal);
        return { ...minted, handle: { ...minted.handle, target: 'the one reached' } };
      });
      const { plan } = await service.issue();
      const { id, handle } = plan.leases[0]!;
      const opened = await openHandle(service.sealer, service.targets, stores.scene.leaseRows.get(id)!);
      expect(opened.handle).toEqual({ ...handle, target: 'the one reached' });
    });

    it('issuance grants the requested lifetime, and never more than the identity allows', async () => {
      const now = stores.scene.clock.now();
      const { plan } = await service.issue({ ttlSeconds: 120 });
      expect(plan.task).toMatchObject({ expiresAt: addSeconds(now, 120), maxExpiresAt: addSeconds(now, 1_800) });
      const short = await service.issue({}, service.requester({ identityExpiresAt: addSeconds(now, 45) }));
      expect(short.plan.task.expiresAt).toEqual(addSeconds(now, 45));
      expect(short.minted[0]?.providerExpiresAt).toEqual(addSeconds(now, 45));
    });

    it('issuance by a remote provider mints nothing when the intent cannot be written', async () => {
      stores.scene.auditFails = true;
      expect(await problemOf(service.issue())).toMatchObject({ code: 'unavailable' });
      expect(service.steps.at(-1)).toBe('consume');
      expect(service.dummy.live()).toEqual([]);
      expect(stores.scene.tasks.size).toBe(0);
    });

    it('issuance revokes the credentials of a task at once when it ended during the mint', async () => {
      stores.issuance.before.activate = async () => {
        await service.ending.end({ taskId: onlyTask().id, cause: 'revoked', actor: MAYFLY });
      };
      const problem = await problemOf(service.issue());
      expect(problem).toMatchObject({ code: 'conflict' });
      expect(service.dummy.live()).toEqual([]);
      expect(await stores.scene.task(taskIdOf(problem))).toMatchObject({ state: 'revoked', endCause: 'revoked' });
      expect(auditTypes()).not.toContain('lease.issued');
    });

    it('issuance delivers nothing when a lockdown is engaged during the mint, and revokes what was minted', async () => {
      stores.issuance.before.activate = async () => {
        await stores.scene.lockDown({ kind: 'connection', name: 'crm' });
      };
      const problem = await problemOf(service.issue());
      expect(problem).toMatchObject({ code: 'policy_denied', extensions: { control: 'lockdown' } });
      expect(service.dummy.live()).toEqual([]);
      expect(auditTypes()).toContain('task.denied');
      expect(auditTypes()).not.toContain('lease.issued');
    });

    it('issuance mints nothing when a lockdown is engaged after the decision', async () => {
      stores.issuance.before.open = async () => {
        await stores.scene.lockDown({ kind: 'agent', name: 'support-agent' });
      };
      const problem = await problemOf(service.issue());
      expect(problem).toMatchObject({ code: 'policy_denied', extensions: { control: 'lockdown' } });
      expect(service.steps).not.toContain('mint');
      expect(stores.scene.tasks.size).toBe(0);
    });

    it('issuance denies under a lockdown that this replica knows, with its id', async () => {
      const id = newId('lkd');
      service.lockdown = { id, scope: { kind: 'owner', name: 'support-platform' } };
      const detail = `lockdown \`${id}\` covers owner \`support-platform\``;
      expect(await problemOf(service.issue())).toMatchObject({
        ...{ code: 'policy_denied', detail },
        extensions: { control: 'lockdown' },
      });
    });

    it('issuance revokes credentials at once when the audit of their activation fails', async () => {
      stores.issuance.before.activate = async () => {
        stores.scene.auditFails = true;
        setImmediate(() => (stores.scene.auditFails = false));
      };
      jest.spyOn(stores.closing, 'requestEnd').mockImplementationOnce(async (request) => {
        await new Promise((resolve) => setImmediate(resolve));
        return stores.closing.requestEnd(request);
      });
      expect(await problemOf(service.issue())).toMatchObject({ code: 'unavailable' });
      expect(service.dummy.live()).toEqual([]);
      expect(await stores.scene.task(onlyTask().id)).toMatchObject({ state: 'failed', endCause: 'issuance_failed' });
      expect(auditTypes()).not.toContain('lease.issued');
    });

    it('issuance revokes credentials when the outcome of their activation is unknown', async () => {
      stores.issuance.afterActivation = () => Promise.reject(new Problem('unavailable', 'the connection broke'));
      const problem = await problemOf(service.issue());
      expect(problem).toMatchObject({ code: 'unavailable', detail: 'the connection broke' });
      expect(service.dummy.live()).toEqual([]);
      expect(await stores.scene.task(onlyTask().id)).toMatchObject({ state: 'failed' });
    });

    it('issuance leaves minted credentials to the worker when the database stays away', async () => {
      stores.issuance.before.activate = async () => {
        stores.scene.down = true;
      };
      expect(await problemOf(service.issue())).toMatchObject({ code: 'unavailable' });
      expect(service.dummy.live()).toHaveLength(1);
      stores.scene.down = false;
      await stores.scene.advance(12);
      expect(await service.closing.sweep(10)).toBe(1);
      await service.closing.settled();
      expect(service.dummy.live()).toEqual([]);
      expect(await stores.scene.task(onlyTask().id)).toMatchObject({ state: 'failed', endCause: 'issuance_failed' });
    });
  });

  describe('when a mint fails', () => {
    beforeEach(async () => {
      await service.publish(templateOf(TWO));
    });

    it('issuance ends the task at once when a failed mint provably made nothing', async () => {
      service.dummy.switches.failMint('fail before effect');
      const problem = await problemOf(service.issue());
      expect(problem).toMatchObject({ code: 'provider_rejected' });
      expect(await stores.scene.task(taskIdOf(problem))).toMatchObject({ state: 'failed', liveLeases: 0 });
      expect((await stores.scene.leases(taskIdOf(problem))).map(({ state }) => state)).toEqual(['failed', 'failed']);
      expect(await stores.scene.runningTasks('template/read-cases')).toBe(0);
    });

    it('issuance revokes the other credential of a failed mint, and leaves the doubtful one to the worker', async () => {
      const deadlines = holdDeadlines();
      const mint = service.dummy.mint.bind(service.dummy);
      jest.spyOn(service.dummy, 'mint').mockImplementation(async (order, handle, signal) => {
        const isFirst = order.leaseId === [...stores.scene.leaseRows.keys()][0];
        service.dummy.switches.failMint('hang after effect', isFirst ? order.leaseId : 'lse_nobody');
        const minted = mint(order, handle, signal);
        if (!isFirst)
          void minted.then(() =>
            setImmediate(() => {
              deadlines.strike();
            }),
          );
        return minted;
      });
      const problem = await problemOf(service.issue());
      expect(problem).toMatchObject({ code: 'provider_unavailable' });
      const leases = () => stores.scene.leases(taskIdOf(problem));
      expect((await leases()).map(({ state }) => state)).toEqual(['revoking', 'revoked']);
      expect(service.dummy.live()).toHaveLength(1);
      await stores.scene.advance(12);
      await service.closing.sweep(10);
      await service.closing.settled();
      expect((await leases()).map(({ state }) => state)).toEqual(['revoked', 'revoked']);
      expect(service.dummy.live()).toEqual([]);
    });

    it('issuance never calls a mint failed that may have had an effect', async () => {
      service.dummy.switches.failMint('fail after effect');
      const problem = await problemOf(service.issue());
      expect((await stores.scene.leases(taskIdOf(problem))).map(({ state }) => state)).toEqual([
        'revoking',
        'revoking',
      ]);
      expect(await stores.scene.task(taskIdOf(problem))).toMatchObject({ state: 'active', liveLeases: 2 });
    });

    it('issuance revokes all credentials when one differs from its order', async () => {
      const mint = service.dummy.mint.bind(service.dummy);
      jest.spyOn(service.dummy, 'mint').mockImplementation(async (order, handle, signal) => ({
        ...(await mint(order, handle, signal)),
        providerExpiresAt: addSeconds(order.expiresAt, 1),
      }));
      const problem = await problemOf(service.issue());
      expect(problem).toMatchObject({ code: 'provider_unavailable' });
      expect(await stores.scene.task(taskIdOf(problem))).toMatchObject({ state: 'failed' });
      expect(service.dummy.live()).toEqual([]);
    });
  });

  describe('with a provider that has no remote effect', () => {
    beforeEach(async () => {
      await service.publish(templateOf(LOCAL));
    });

    it('a gate that closes after a local task was committed ends the task, and no secret leaves', async () => {
      const answers = [() => undefined, closed];
      service.gate = () => answers.shift()?.();
      expect((await problemOf(service.issue())).code).toBe('quarantined');
      expect(onlyTask()).toMatchObject({ endCause: 'issuance_failed' });
      expect(service.steps).not.toContain('answer');
    });

    it('issuance by a local provider writes everything with one commit, after the mint', async () => {
      const activate = jest.spyOn(stores.issuance, 'activate');
      const { plan, minted } = await service.issue();
      expect(service.steps.slice(4)).toEqual(['plan', 'consume', 'mint', 'check', 'open', 'answer']);
      expect(activate).not.toHaveBeenCalled();
      expect(await stores.scene.leases(plan.task.id)).toMatchObject([
        { state: 'active', providerExpiresAt: minted[0]?.providerExpiresAt, dueAt: plan.task.expiresAt },
      ]);
      const [entry, ...others] = stores.scene.audit.map(({ body }) => JSON.parse(body) as JsonObject);
      expect(others).toEqual([]);
      const { providerExpiresAt, facts } = minted[0]!;
      expect(entry).toMatchObject({
        ...{ type: 'task.granted', factsVersion: 3 },
        leases: [
          {
            id: plan.leases[0]?.id,
            issued: { providerExpiresAt: providerExpiresAt.toISOString(), ...(facts && { facts }) },
          },
        ],
      });
      expect(stores.scene.outbox).toEqual([]);
    });

    it('issuance by a local provider gives a problem and leaves nothing behind when the mint fails', async () => {
      service.local.failure = new Problem('unavailable', 'there is no signing key', { retryAfterSeconds: 5 });
      const problem = await problemOf(service.issue());
      expect(problem).toBeInstanceOf(Problem);
      expect(problem).toMatchObject({ code: 'unavailable', retryAfterSeconds: 5 });
      expect(stores.scene.tasks.size).toBe(0);
      expect(service.identityUses).toEqual(['consumed', 'given back']);
    });

    it('issuance by a local provider gives nothing out when the audit cannot be written', async () => {
      stores.scene.auditFails = true;
      expect(await problemOf(service.issue())).toMatchObject({ code: 'unavailable' });
      expect(service.steps.at(-1)).toBe('check');
    });

    it('issuance by a local provider takes two commits when only one of two credentials is local', async () => {
      const [token] = LOCAL.credentials;
      await service.publish(templateOf({ credentials: [token!, ...TWO.credentials] }));
      await service.issue();
      expect(service.steps.slice(5)).toEqual(['consume', 'open', 'mint', 'check', 'activate', 'answer']);
      expect(stores.scene.outbox).toHaveLength(2);
    });
  });

  it('issuance shows a secret to nobody but the caller', async () => {
    await service.publish(templateOf(TWO));
    const { minted } = await service.issue();
    const secrets = minted.map(({ secret }) => secret.token as string);
    const mint = service.dummy.mint.bind(service.dummy);
    jest.spyOn(service.dummy, 'mint').mockImplementation(async (order, handle, signal) => {
      const result = await mint(order, handle, signal);
      secrets.push(result.secret.token as string);
      return { ...result, handle: { id: 'another' } };
    });
    const problem = await problemOf(service.issue());
    const { audit, outbox, tasks, leaseRows } = stores.scene;
    const seen = inspect([problem, audit, outbox, tasks, leaseRows, service.metrics], {
      depth: 20,
      maxStringLength: null,
    });
    expect(secrets).toHaveLength(4);
    expect(secrets.filter((secret) => seen.includes(secret))).toEqual([]);
  });
});
