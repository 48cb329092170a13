import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { auditEntry, type Actor } from '@mayfly/audit';
import { type LockdownId, newId } from '@mayfly/kernel';
import { covers, LOCKDOWN_KINDS, type LockdownScope } from '@mayfly/tasks';
import { activationOf, declareFor, type IntentOptions, TaskDatabase, taskIntent } from '@mayfly/testing';
import type { Pool } from 'pg';
import { requestStoresOn } from '../request-stores.fixture.js';
import { LeaseReader } from '../tasks/lease.reader.js';
import { TaskEndings } from '../tasks/task-endings.js';
import { taskSelector } from '../tasks/task-selector.js';
import { newLockdown, OPERATOR } from './lockdown.fixture.js';
import { PgLockdownStore } from './lockdown.store.js';

const SECOND: Actor = { kind: 'person', issuer: 'staff', subject: 'grace' };

let scene: TaskDatabase;
let pool: Pool;
let stores: ReturnType<typeof requestStoresOn>;
let store: PgLockdownStore;
beforeAll(async () => {
  scene = await TaskDatabase.start();
  pool = scene.pool();
  stores = requestStoresOn(scene, pool);
  store = storeWith();
});
beforeEach(() => scene.empty());
afterAll(() => scene.stop());

/** The store, whose endings die in the transaction after `batches` batches. */
function storeWith(batches = Infinity, batch = 3): PgLockdownStore {
  let ended = 0;
  const closing = {
    endInTransaction: async (...request: Parameters<typeof stores.closing.endInTransaction>) => {
      await stores.closing.endInTransaction(...request);
      if (++ended > batches) throw new Error('the process died');
    },
  };
  return new PgLockdownStore(pool, new TaskEndings(pool, closing, batch));
}

const engage = (scope: LockdownScope): Promise<LockdownId> => store.engage(newLockdown(scene.clock, scope));

async function opened(options: IntentOptions = {}) {
  const intent = taskIntent(scene.clock, options);
  await declareFor(scene, intent);
  expect(await stores.issuance.open(intent)).toBe('opened');
  return intent;
}

const everything: LockdownScope = { kind: 'all', name: '' };
const crm: LockdownScope = { kind: 'connection', name: 'crm' };

describe('an engagement', () => {
  it('an engagement ends the tasks under it, also those that are minting, and no other', async () => {
    const [minting, active] = [await opened(), await opened({ leaseState: 'active' })];
    const beside = await opened({ connections: ['files'], leaseState: 'active' });
    const id = await engage(crm);
    await store.endTasks(id);
    for (const { task } of [minting, active]) {
      expect(await scene.task(task.id)).toMatchObject({ endCause: 'lockdown', endReason: `lockdown ${id}` });
      expect(await scene.leases(task.id)).toMatchObject([{ state: 'revoking', endCause: 'lockdown' }]);
    }
    expect(await scene.task(beside.task.id)).toMatchObject({ endCause: undefined });
    expect(await store.find(id)).toMatchObject({
      ...{ scope: crm, isEnding: false, engaged: { by: OPERATOR, reason: 'incident 1' } },
      progress: { matched: 2, revoked: 0, revoking: 2, abandoned: 0, oldestSeconds: expect.any(Number) },
    });
  });

  it('an engagement counts a lease as revoked only with proof', async () => {
    const { task } = await opened({ leaseState: 'active' });
    const id = await engage(everything);
    expect(await store.find(id)).toMatchObject({ isEnding: true, progress: { matched: 1, revoked: 0, revoking: 1 } });
    await store.endTasks(id);
    const [claim] = await stores.closing.claimDue({ limit: 10 });
    await stores.closing.record([{ claim: claim!, state: 'revoked', effectiveAt: scene.clock.now() }]);
    expect(await scene.task(task.id)).toMatchObject({ state: 'revoked' });
    const { progress } = (await store.find(id))!;
    expect(progress).toEqual({ matched: 1, revoked: 1, revoking: 0, abandoned: 0 });
  });

  it('an engagement of a scope that is locked down already returns the lockdown in force', async () => {
    await opened();
    const first = await engage(everything);
    expect(await engage(everything)).toBe(first);
    expect(await engage(crm)).not.toBe(first);
    expect((await store.list({ inForce: true }, { limit: 10 })).items).toHaveLength(2);
  });

  it('an engagement by ten operators at once is one lockdown', async () => {
    await opened();
    const ids = await Promise.all(Array.from({ length: 10 }, () => engage(everything)));
    expect(new Set(ids).size).toBe(1);
    expect(await scene.query(`SELECT FROM audit_entry WHERE type = 'lockdown.engaged'`)).toHaveLength(1);
  });

  it('an engagement refuses introspection from its commit on, before any task has ended', async () => {
    const leases = new LeaseReader(scene.pool());
    const [under, beside] = [
      await opened({ leaseState: 'active' }),
      await opened({ connections: ['files'], leaseState: 'active' }),
    ];
    expect(await leases.isLive(under.leases[0]!.id)).toBe(true);
    await engage(crm);
    expect(await leases.isLive(under.leases[0]!.id)).toBe(false);
    expect(await leases.isLive(beside.leases[0]!.id)).toBe(true);
  });

  it.each([0, 1, 2])('an engagement whose process dies after %i batches is completed by a worker', async (batches) => {
    const intents = [await opened(), await opened(), await opened(), await opened(), await opened()];
    const id = await engage(everything);
    await expect(storeWith(batches, 2).endTasks(id)).rejects.toMatchObject({ code: 'unavailable' });
    expect(await store.find(id)).toMatchObject({ isEnding: true, progress: { matched: 5, revoking: 5 } });
    const worker = new TaskEndings(scene.pool(), stores.closing, 2);
    while (await worker.round());
    expect(await store.find(id)).toMatchObject({ isEnding: false, progress: { matched: 5, revoking: 5 } });
    for (const { task } of intents)
      expect((await scene.auditTypes(task.id)).filter((type) => type === 'task.ending')).toHaveLength(1);
  });

  it('an engagement ends the tasks with a credential at a connection first', async () => {
    const local = await opened({ connections: [], leaseState: 'active' });
    const remote = await opened({ leaseState: 'active' });
    const id = await engage(everything);
    await new TaskEndings(pool, stores.closing, 1).round();
    expect(await scene.task(remote.task.id)).toMatchObject({ endCause: 'lockdown' });
    expect(await scene.task(local.task.id)).toMatchObject({ endCause: undefined });
    await store.endTasks(id);
    expect(await scene.task(local.task.id)).toMatchObject({ endCause: 'lockdown' });
  });

  it('an engagement and a grant are refused without the row that orders them', async () => {
    const intent = taskIntent(scene.clock);
    await declareFor(scene, intent);
    await scene.query(`DELETE FROM guard WHERE kind = 'all'`);
    try {
      await expect(stores.issuance.open(intent)).rejects.toMatchObject({ code: 'unavailable' });
      await expect(engage(crm)).rejects.toMatchObject({ code: 'unavailable' });
      expect((await store.list({ inForce: false }, { limit: 1 })).items).toEqual([]);
    } finally {
      await scene.query(`INSERT INTO guard (kind, name) VALUES ('all', '')`);
    }
  });
});

describe('an engagement and a grant', () => {
  it('an engagement waits for the commit of a grant, and ends what it granted', async () => {
    const intent = taskIntent(scene.clock, { leaseState: 'active' });
    await declareFor(scene, intent);
    const session = await scene.session();
    // The grant waits for the quota counter, with the guard locked.
    await session.query(
      `BEGIN; INSERT INTO quota_counter (scope, recent) VALUES ($$${intent.quota.scope}$$, array_fill(0, ARRAY[61]))`,
    );
    const opening = stores.issuance.open(intent);
    await scene.untilBlocked();
    const engaging = engage(everything);
    await scene.untilBlocked(2);
    await session.query('COMMIT');
    expect(await opening).toBe('opened');
    const id = await engaging;
    await store.endTasks(id);
    expect(await scene.task(intent.task.id)).toMatchObject({ endCause: 'lockdown' });
  });

  it('a grant waits for an engagement under way, and is refused', async () => {
    const intent = taskIntent(scene.clock);
    await declareFor(scene, intent);
    const session = await scene.session();
    await session.query(`BEGIN; SELECT FROM guard WHERE kind = 'all' FOR UPDATE`);
    const opening = stores.issuance.open(intent);
    await scene.untilBlocked();
    await session.query(`UPDATE guard SET lockdown_id = $$${newId('lkd')}$$ WHERE kind = 'all'; COMMIT`);
    expect(await opening).toBe('lockdown');
    expect(await scene.task(intent.task.id)).toBeUndefined();
  });

  it.each(['activation', 'renewal at the provider'] as const)(
    'the %s of a credential waits for an engagement under way, and delivers nothing',
    async (step) => {
      const intent = await opened({ leaseState: step === 'activation' ? 'minting' : 'active' });
      const session = await scene.session();
      await session.query(`BEGIN; SELECT FROM guard WHERE kind = 'all' FOR UPDATE`);
      const delivering =
        step === 'activation'
          ? stores.issuance.activate(activationOf(intent))
          : stores.tasks.renewedAtProvider(intent.leases[0]!.id, intent.task.expiresAt);
      await scene.untilBlocked();
      await session.query(`UPDATE guard SET lockdown_id = $$${newId('lkd')}$$ WHERE kind = 'all'; COMMIT`);
      expect(await delivering).toBe(false);
    },
  );

  it('an engagement gives up on a session that holds grants back, and changes nothing', async () => {
    const session = await scene.session();
    await session.query(`BEGIN; SELECT FROM guard WHERE kind = 'all' FOR SHARE`);
    await expect(engage(everything)).rejects.toMatchObject({ code: 'unavailable' });
    await session.query('ROLLBACK');
    expect((await store.list({ inForce: false }, { limit: 1 })).items).toEqual([]);
  });
});

describe('a release', () => {
  const step = (id: LockdownId, by: Actor) =>
    store.underLock(id, async (locked) => {
      if (locked === undefined) return 'none';
      const facts = { lockdown: id, scope: { ...locked.lockdown.scope }, reason: 'over' };
      if (locked.lockdown.releaseRequested === undefined)
        await locked.requestRelease(
          by,
          'over',
          auditEntry('lockdown.release-requested', scene.clock.now(), by, {}, facts),
        );
      else await locked.release(by, auditEntry('lockdown.released', scene.clock.now(), by, {}, facts));
      return 'done';
    });

  it('a release grants again, and the next engagement is another lockdown', async () => {
    await opened();
    const id = await engage(everything);
    await store.endTasks(id);
    await step(id, OPERATOR);
    expect(await store.find(id)).toMatchObject({ releaseRequested: { by: OPERATOR, reason: 'over' } });
    const refused = taskIntent(scene.clock);
    expect(await stores.issuance.open(refused)).toBe('lockdown');
    await step(id, SECOND);
    expect(await store.find(id)).toMatchObject({ released: { by: SECOND } });
    expect(await stores.issuance.open(taskIntent(scene.clock))).toBe('opened');
    expect(await engage(everything)).not.toBe(id);
  });

  it('a release of an unknown lockdown finds none', async () => {
    expect(await step(newId('lkd'), OPERATOR)).toBe('none');
    expect(await store.find(newId('lkd'))).toBeUndefined();
  });
});

describe('the rule of what a lockdown covers', () => {
  const NAMES = ['crm', 'files', 'support', 'support-agent', 'read-cases', 'cluster', 'platform'];

  it('the rule of what a lockdown covers is the same in the database, in the endings and in memory', async () => {
    const intents = [
      await opened({ connections: ['crm', 'files'] }),
      await opened({ connections: [] }),
      await opened({ connections: ['platform'], template: { name: 'support', version: 3 } }),
    ];
    await scene.query(`UPDATE agent SET name = 'support-agent', spec = '{"owner": "support"}'`);
    await scene.query(
      `INSERT INTO connection (name, spec, updated_by) VALUES ('files', '{"owner": "platform"}', 'test')`,
    );
    await scene.query(
      `INSERT INTO template_version (name, version, spec, digest, author, publisher) VALUES ('support', 3, '{"owner": "crm"}', '', '', '')`,
    );
    const owners = [['support', 'platform'], ['support'], ['support', 'crm']];
    let covered = 0;
    for (const kind of LOCKDOWN_KINDS) {
      for (const name of kind === 'all' ? [''] : [...NAMES, intents[0]!.task.id]) {
        const { where, values } = taskSelector({ kind, name });
        const selected = await scene.query<{ id: string }>(`SELECT t.id FROM task t WHERE ${where}`, values);
        const guarded = await scene.query<{ id: string }>(
          `SELECT t.id FROM task t WHERE $1 = ANY (guards_of_task(t))`,
          [`${kind}:${name}`],
        );
        const remembered = intents.filter(({ task, leases, issuer }, index) =>
          covers(
            { kind, name },
            {
              ...{
                taskId: task.id,
                agent: task.agent.name,
                template: task.template.name,
                runtime: task.runtime,
                issuer,
              },
              ...{ owners: owners[index]!, connections: leases.flatMap(({ connection }) => connection ?? []) },
            },
          ),
        );
        const expected = remembered.map(({ task }) => task.id).toSorted();
        covered += expected.length;
        expect([kind, name, selected.map(({ id }) => id).toSorted()]).toEqual([kind, name, expected]);
        expect([kind, name, guarded.map(({ id }) => id).toSorted()]).toEqual([kind, name, expected]);
      }
    }
    expect(covered).toBe(25);
  });

  it.each([
    [{ kind: 'agent', name: 'support-agent' }, true],
    [{ kind: 'agent', name: 'suport-agent' }, false],
    [{ kind: 'runtime', name: 'cluster' }, true],
    [{ kind: 'runtime', name: 'laptop' }, false],
    [{ kind: 'owner', name: 'support' }, true],
    [{ kind: 'owner', name: 'nobody' }, false],
    [{ kind: 'template', name: 'read-cases' }, true],
    [{ kind: 'connection', name: 'crm' }, false],
    [{ kind: 'issuer', name: 'cluster' }, false],
    [{ kind: 'task', name: newId('tsk') }, false],
    [{ kind: 'all', name: '' }, true],
  ] as const)('a scope that names nothing is told apart: %j %s', async (scope, known) => {
    await opened();
    await scene.query(
      `UPDATE agent SET name = 'support-agent', spec = '{"owner": "support", "identities": [{"runtime": "cluster"}]}'`,
    );
    expect(await store.knows(scope)).toBe(known);
  });

  it('a dry run counts what would end, and changes nothing', async () => {
    await opened({ connections: ['crm', 'files'] });
    await opened({ connections: ['crm'] });
    expect(await store.reach(crm)).toEqual({
      ...{ tasks: 2, leases: 3 },
      connections: [
        { name: 'crm', leases: 2 },
        { name: 'files', leases: 1 },
      ],
    });
    expect(await store.reach({ kind: 'connection', name: 'other' })).toEqual({ tasks: 0, leases: 0, connections: [] });
  });

  it('lockdowns are listed newest first, in pages', async () => {
    await opened();
    const ids: LockdownId[] = [];
    for (const name of ['a', 'b', 'c']) ids.unshift(await engage({ kind: 'agent', name }));
    const first = await store.list({ inForce: false }, { limit: 2 });
    expect(first.items.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    const second = await store.list({ inForce: false }, { limit: 2, after: first.next });
    expect(second.items.map(({ id }) => id)).toEqual(ids.slice(2));
    expect(second.next).toBeUndefined();
  });
});
