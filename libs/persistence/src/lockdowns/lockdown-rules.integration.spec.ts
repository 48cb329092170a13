import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { auditEntry, MAYFLY } from '@mayfly/audit';
import type { LockdownId } from '@mayfly/kernel';
import { LOCKDOWN_KINDS, type LockdownScope } from '@mayfly/tasks';
import { declareFor, TaskDatabase, taskIntent } from '@mayfly/testing';
import { requestStoresOn } from '../request-stores.fixture.js';
import { LeaseReader } from '../tasks/lease.reader.js';
import { TaskEndings } from '../tasks/task-endings.js';
import { newLockdown, OPERATOR } from './lockdown.fixture.js';
import { PgLockdownStore } from './lockdown.store.js';

let scene: TaskDatabase;
let stores: ReturnType<typeof requestStoresOn>;
let store: PgLockdownStore;
beforeAll(async () => {
  scene = await TaskDatabase.start();
  const pool = scene.pool();
  stores = requestStoresOn(scene, pool);
  store = new PgLockdownStore(pool, new TaskEndings(pool, stores.closing));
});
beforeEach(() => scene.empty());
afterAll(() => scene.stop());

async function lockDown(scope: LockdownScope): Promise<LockdownId> {
  const id = await store.engage(newLockdown(scene.clock, scope));
  await store.endTasks(id);
  return id;
}

async function opened() {
  const intent = taskIntent(scene.clock, { leaseState: 'active' });
  await declareFor(scene, intent);
  expect(await stores.issuance.open(intent)).toBe('opened');
  return intent;
}

describe('the rows of guards', () => {
  it.each([
    ['Agent', 'support-agent'],
    ['planet', 'earth'],
    ['all', 'support-agent'],
    ['agent', ''],
  ])('a guard that would deny nothing is not stored: %s `%s`', async (kind, name) => {
    const insert = scene.query('INSERT INTO guard (kind, name) VALUES ($1, $2)', [kind, name]);
    await expect(insert).rejects.toMatchObject({ constraint: 'guard_scope' });
  });

  it.each(LOCKDOWN_KINDS)('a guard of the kind %s is stored', async (kind) => {
    await scene.query('INSERT INTO guard (kind, name) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
      ...[kind, kind === 'all' ? '' : 'x'],
    ]);
  });

  it.each(['repeatable read', 'serializable'])(
    'a grant under %s is refused: it could miss a lockdown',
    async (level) => {
      const session = await scene.session();
      await session.query(`BEGIN ISOLATION LEVEL ${level}; SELECT FROM guard`);
      await lockDown({ kind: 'agent', name: 'support-agent' });
      const answer = await session.query('SELECT public.engaged_guards_locked()').catch((error: unknown) => error);
      await session.query('ROLLBACK');
      expect(answer).toMatchObject({ message: expect.stringContaining('isolation level') });
    },
  );

  it('a look at a lease among 5,000 lockdowns of others computes the guards of its task once', async () => {
    const { leases } = await opened();
    await scene.query(`INSERT INTO guard (kind, name, lockdown_id)
      SELECT 'agent', 'other-' || n, 'lkd_' || n FROM generate_series(1, 5000) AS n`);
    const reader = new LeaseReader(scene.pool());
    const session = await scene.session();
    await session.query(`SET track_functions = 'all'; SELECT pg_stat_reset()`);
    await session.query('SELECT public.lockdown_of($1)', [leases[0]!.taskId]);
    await session.query('SELECT pg_stat_force_next_flush()');
    const { rows } = await session.query(
      `SELECT calls::int FROM pg_stat_user_functions WHERE funcname = 'guards_of_task'`,
    );
    expect(rows).toEqual([{ calls: 1 }]);
    expect(await reader.isLive(leases[0]!.id)).toBe(true);
  });
});

describe('the progress of a lockdown', () => {
  it('the progress of a lockdown counts the leases that another lockdown is revoking, until they are dead', async () => {
    await opened();
    await lockDown({ kind: 'all', name: '' });
    const id = await lockDown({ kind: 'connection', name: 'crm' });
    expect((await store.find(id))!.progress).toMatchObject({ matched: 1, revoking: 1, oldestSeconds: 0 });
    const [claim] = await stores.closing.claimDue({ limit: 10 });
    await stores.closing.record([{ claim: claim!, state: 'revoked', effectiveAt: scene.clock.now() }]);
    expect((await store.find(id))!.progress).toEqual({ matched: 0, revoked: 0, revoking: 0, abandoned: 0 });
  });

  it('the progress of a lockdown counts the leases of tasks that were ending before, and none beside its scope', async () => {
    const { task } = await opened();
    await stores.closing.requestEnd({ taskId: task.id, cause: 'completed', actor: MAYFLY });
    const [under, beside] = [
      await lockDown({ kind: 'connection', name: 'crm' }),
      await lockDown({ kind: 'connection', name: 'files' }),
    ];
    expect((await store.find(under))!.progress).toMatchObject({ matched: 1, revoking: 1 });
    expect((await store.find(beside))!.progress).toMatchObject({ matched: 0, revoking: 0 });
  });
});

describe('a request for a release', () => {
  it('a request for a release that is withdrawn leaves no trace but its entries', async () => {
    const id = await lockDown({ kind: 'all', name: '' });
    const entry = (type: 'lockdown.engaged' | 'lockdown.release-requested') =>
      auditEntry(
        type,
        scene.clock.now(),
        OPERATOR,
        {},
        { lockdown: id, scope: { kind: 'all', name: '' }, reason: 'x' },
      );
    await store.underLock(id, (locked) => locked!.requestRelease(OPERATOR, 'x', entry('lockdown.release-requested')));
    expect(await store.find(id)).toMatchObject({ releaseRequested: { reason: 'x' } });
    await store.underLock(id, (locked) => locked!.withdrawRelease(entry('lockdown.engaged')));
    expect(await store.find(id)).not.toHaveProperty('releaseRequested');
    expect(await scene.query(`SELECT FROM audit_entry WHERE type LIKE 'lockdown.%'`)).toHaveLength(3);
  });
});
