import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { MAYFLY } from '@mayfly/audit';
import { addSeconds } from '@mayfly/kernel';
import { activationOf, declareFor, TaskDatabase, taskIntent } from '@mayfly/testing';
import type { Pool } from 'pg';
import { PgClosingStore } from './closing.store.js';
import { IdentityUseStore } from './identity-use.store.js';
import { PgIssuanceStore } from './issuance.store.js';
import { PgKeyHoldStore } from './key-hold.store.js';
import { LeaseHandlesReader } from './lease-handles.reader.js';
import { LeaseStatistics } from './lease-statistics.js';
import { PgTaskStore } from './task.store.js';

let scene: TaskDatabase;
let pool: Pool;
beforeAll(async () => {
  scene = await TaskDatabase.start();
  pool = scene.pool();
});
beforeEach(() => scene.empty());
afterAll(() => scene.stop());

const count = async (query: string): Promise<number> => {
  const [row] = await scene.query<{ count: number }>(`SELECT count(*)::int FROM ${query}`);
  return row!.count;
};

/** Opens tasks with one active lease each. */
async function open(tasks: number) {
  const intents = Array.from({ length: tasks }, () => taskIntent(scene.clock, { leaseState: 'active' }));
  if (intents[0] !== undefined) await declareFor(scene, intents[0]);
  await Promise.all(intents.map((intent) => new PgIssuanceStore(pool).open(intent)));
  return intents;
}

const plansOf = async (text: string, values: readonly unknown[]): Promise<string> => {
  const rows = await scene.query<Record<string, string>>(`EXPLAIN (COSTS off) ${text}`, values);
  return rows.map((row) => row['QUERY PLAN']).join('\n');
};

describe('wiping', () => {
  const owner = { agentId: 'agt_a' as never, runtime: 'ci', issuer: 'ci', subject: 'one' };

  it('wiping takes sealed answers and keys in bounded batches, and says when there may be more', async () => {
    const store = new PgKeyHoldStore(pool);
    for (let n = 0; n < 5; n += 1) await store.hold(owner, `key-${String(n)}`, 'body');
    await scene.query(`UPDATE public.idempotency_key SET task_id = 'tsk', sealed_answer = 'x', replay_until = $1`, [
      addSeconds(scene.clock.now(), 60),
    ]);
    await scene.advance(61);
    const answers = 'public.idempotency_key WHERE sealed_answer IS NOT NULL';
    expect([await store.wipe(2), await count(answers)]).toEqual([true, 3]);
    expect([await store.wipe(2), await count(answers)]).toEqual([true, 1]);
    expect([await store.wipe(2), await count(answers)]).toEqual([false, 0]);
    await scene.advance(86_400);
    expect([await store.wipe(2), await count('public.idempotency_key')]).toEqual([true, 3]);
    while (await store.wipe(2));
    expect(await count('public.idempotency_key')).toBe(0);
  });

  it('wiping takes used tokens in bounded batches', async () => {
    const store = new IdentityUseStore(pool);
    for (let n = 0; n < 5; n += 1) await store.consume('ci', `jti-${String(n)}`, scene.clock.now());
    expect(await store.wipe(2)).toBe(false);
    await scene.advance(121);
    expect([await store.wipe(2), await count('identity_use')]).toEqual([true, 3]);
    expect([await store.wipe(2), await count('identity_use')]).toEqual([true, 1]);
    expect([await store.wipe(2), await count('identity_use')]).toEqual([false, 0]);
  });

  it('shares the work of two workers and waits for no row that another one holds', async () => {
    const store = new IdentityUseStore(pool);
    for (let n = 0; n < 4; n += 1) await store.consume('ci', `jti-${String(n)}`, scene.clock.now());
    await scene.advance(121);
    const session = await scene.session();
    await session.query(`BEGIN; SELECT FROM identity_use WHERE jti = 'jti-0' FOR UPDATE`);
    await store.wipe(10);
    expect(await scene.query('SELECT jti FROM identity_use')).toEqual([{ jti: 'jti-0' }]);
    await session.query('COMMIT');
  });
});

describe('the handles for the comparison with a back end', () => {
  const ids = async (page: number) => {
    const leases = await new LeaseHandlesReader(pool, page).lately('dummy');
    return leases.map(({ id }) => id).toSorted();
  };

  it.each([1, 2, 3, 7, 100])(
    'the handles for the comparison with a back end are all of them, in pages of %i',
    async (page) => {
      const intents = await open(7);
      expect(await ids(page)).toEqual(intents.flatMap(({ leases }) => leases.map(({ id }) => id)).toSorted());
    },
  );

  it('include leases of one instant, and those that ended within five minutes, each once', async () => {
    await open(6);
    await scene.query(`UPDATE lease SET due_at = now()`);
    await scene.query(
      `UPDATE lease SET state = 'revoked', due_at = NULL, ended_at = now() WHERE id IN (SELECT id FROM lease ORDER BY id LIMIT 3)`,
    );
    const all = await ids(2);
    expect(all).toHaveLength(6);
    expect(new Set(all).size).toBe(6);
    await scene.advance(301);
    expect(await ids(2)).toHaveLength(3);
    expect(await new LeaseHandlesReader(pool).lately('other')).toEqual([]);
  });
});

describe('the metrics of leases', () => {
  it('the metrics of leases are the numbers by state, up to the bound', async () => {
    const [first] = await open(5);
    await new PgClosingStore(pool, scene.clock).requestEnd({
      taskId: first!.task.id,
      cause: 'completed',
      actor: MAYFLY,
    });
    const counts = (bound?: number) => new LeaseStatistics(pool, bound).leases();
    expect(Object.fromEntries(await counts())).toEqual({ minting: 0, active: 4, revoking: 1 });
    expect(Object.fromEntries(await counts(3))).toEqual({ minting: 0, active: 3, revoking: 1 });
    expect(await new LeaseStatistics(pool).runningTasks()).toBe(5);
  });

  it('the metrics of leases tell the age of the oldest lease that is due, or whose revocation is not proven', async () => {
    const overdue = async () => Math.round(await new LeaseStatistics(pool).oldestOverdueSeconds());
    const [first, second] = await open(2);
    expect(await overdue()).toBe(0);
    const closing = new PgClosingStore(pool, scene.clock);
    const [claim] = await closing.requestEnd({ taskId: first!.task.id, cause: 'completed', actor: MAYFLY });
    await scene.advance(7);
    expect(await overdue()).toBe(7);
    const retryAt = addSeconds(scene.clock.now(), 60);
    await closing.record([{ claim: claim!, state: 'revoking', retryAt, error: 'no answer' }]);
    expect(await overdue()).toBe(7);
    await scene.query('UPDATE lease SET due_at = now() - interval $$30 seconds$$ WHERE id = $1', [
      second!.leases[0]!.id,
    ]);
    expect(await overdue()).toBe(30);
  });

  it('the metrics of leases count the overdue ones by connection, up to the bound, and none that is not overdue', async () => {
    const overdue = (bound?: number) => new LeaseStatistics(pool, bound).overdue();
    const [first, second, third] = await open(4);
    expect(await overdue()).toEqual([]);
    const closing = new PgClosingStore(pool, scene.clock);
    for (const { task } of [first!, second!])
      await closing.requestEnd({ taskId: task.id, cause: 'completed', actor: MAYFLY });
    await scene.query('UPDATE lease SET due_at = now(), connection = NULL WHERE id = $1', [third!.leases[0]!.id]);
    const counts = [
      { provider: 'dummy', connection: 'crm', count: 2 },
      { provider: 'dummy', connection: 'none', count: 1 },
    ];
    expect((await overdue()).toSorted((a, b) => b.count - a.count)).toEqual(counts);
    expect((await overdue(1)).map(({ count: counted }) => counted)).toEqual([1, 1]);
  });

  it('scan no table of leases, however many have ended', async () => {
    await open(1);
    await scene.query(`INSERT INTO lease SELECT (jsonb_populate_record(l, jsonb_build_object('id', 'lse_' || n,
      'state', 'revoked', 'due_at', NULL, 'ended_at', now() - interval '1 day'))).* FROM lease l, generate_series(1, 20000) AS n`);
    await scene.query('ANALYZE lease');
    const asked: [string, readonly unknown[]][] = [];
    const spy = {
      query: async (text: string, values: readonly unknown[] = []) => {
        asked.push([text, values]);
        return { rows: [] };
      },
    };
    const statistics = new LeaseStatistics(spy as never);
    await statistics.leases();
    await statistics.oldestOverdueSeconds();
    await statistics.overdue();
    for (const [text, values] of asked) expect(await plansOf(text, values)).not.toContain('Seq Scan');
    expect(asked).toHaveLength(3);
  });
});

describe('stores without a queue', () => {
  it('stores without a queue write no wake-up when they open, activate, renew and postpone', async () => {
    const without = { wakeUps: false };
    const [issuance, tasks] = [new PgIssuanceStore(pool, without), new PgTaskStore(pool, without)];
    const closing = new PgClosingStore(pool, scene.clock, without);
    const intent = taskIntent(scene.clock);
    await declareFor(scene, intent);
    expect(await issuance.open(intent)).toBe('opened');
    expect(await issuance.activate(activationOf(intent))).toBe(true);
    const { id } = intent.task;
    const later = addSeconds(intent.task.expiresAt, 60);
    const wakeUps = [{ leaseId: intent.leases[0]!.id, reason: 'due' as const, runAt: later }];
    expect(await tasks.renew({ taskId: id, expiresAt: later, dueAt: later, audit: [], wakeUps })).toBe(true);
    const [claim] = await closing.requestEnd({ taskId: id, cause: 'completed', actor: MAYFLY });
    await closing.record([{ claim: claim!, state: 'revoking', retryAt: later, error: 'no answer' }]);
    expect(await count('outbox')).toBe(0);
  });
});
