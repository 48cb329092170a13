import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { UseRequest, UseVerdict } from '@mayfly/enforcement';
import { type LeaseId, newId, type TaskId } from '@mayfly/kernel';
import type { LeaseClaim } from '@mayfly/revocation';
import { useAmounts, type UseCounter, type UseLimits } from '@mayfly/tasks';
import { activationOf, declareFor, TaskDatabase, taskIntent } from '@mayfly/testing';
import fc from 'fast-check';
import { PgClosingStore } from '../tasks/closing.store.js';
import { PgIssuanceStore } from '../tasks/issuance.store.js';
import { PgUseStore } from './use.store.js';

let scene: TaskDatabase;
let issuance: PgIssuanceStore;
let store: PgUseStore;
let claimed: LeaseClaim[];

const replica = (name: string): PgUseStore => {
  const pool = scene.pool(name);
  return new PgUseStore(pool, new PgClosingStore(pool, scene.clock), (claims) => claimed.push(...claims));
};

beforeAll(async () => {
  scene = await TaskDatabase.start();
  issuance = new PgIssuanceStore(scene.pool());
  store = replica('one');
});
beforeEach(async () => {
  await scene.empty();
  claimed = [];
});
afterAll(() => scene.stop());

/** Opens a task with one active lease; with `parent`, below that task. */
async function openTask(parent?: {
  readonly id: TaskId;
  readonly root: TaskId;
}): Promise<{ id: TaskId; lease: LeaseId }> {
  const intent = taskIntent(scene.clock, { lifetimeSeconds: 36_000 });
  await declareFor(scene, intent);
  expect(await issuance.open(intent)).toBe('opened');
  await issuance.activate(activationOf(intent));
  const { id } = intent.task;
  if (parent !== undefined)
    await scene.query('UPDATE task SET parent_id = $2, root_id = $3, depth = 1 WHERE id = $1', [
      id,
      parent.id,
      parent.root,
    ]);
  return { id, lease: intent.leases[0]?.id ?? newId('lse') };
}

const limited = (taskId: TaskId, limits: UseLimits): UseCounter => ({ taskId, limits });
const calls = (taskId: TaskId, most: number): UseCounter => limited(taskId, { total: { calls: most } });

function use(taskId: TaskId, counters: readonly UseCounter[], more: Partial<UseRequest> = {}): UseRequest {
  return { taskId, counters, amounts: useAmounts(), ...more };
}

const kinds = (verdicts: readonly UseVerdict[]): string[] => verdicts.map(({ kind }) => kind);

describe('a limit of uses', () => {
  it('a limit of uses is taken to the last, and the use that crosses it is refused and ends the task in the same commit', async () => {
    const { id, lease } = await openTask();
    const one = use(id, [calls(id, 3)]);
    for (const left of [2, 1, 0])
      expect(await store.take(one)).toEqual({ kind: 'taken', left: { calls: { limit: 3, left } } });
    expect(await store.take(one)).toMatchObject({ kind: 'exhausted', unit: 'calls', counter: { taskId: id } });
    expect(await scene.task(id)).toMatchObject({
      endCause: 'uses_exhausted',
      endReason: expect.stringContaining('3 calls'),
    });
    expect(await scene.leases(id)).toMatchObject([{ id: lease, state: 'revoking', endCause: 'uses_exhausted' }]);
    expect(claimed.map((claim) => claim.id)).toEqual([lease]);
    expect((await scene.auditTypes(id)).slice(-2)).toEqual(['task.ending', 'lease.revoking']);
    expect(await store.take(one)).toMatchObject({ kind: 'dead', cause: 'uses_exhausted' });
  });

  it('a limit of uses gives many requests of one statement what is left, and the first that crosses it is the only one to end the task', async () => {
    const { id } = await openTask();
    const verdicts = await Promise.all(Array.from({ length: 8 }, () => store.take(use(id, [calls(id, 5)]))));
    expect(kinds(verdicts)).toEqual([...Array<string>(5).fill('taken'), 'exhausted', 'dead', 'dead']);
    expect(await scene.query('SELECT calls::int FROM use_counter')).toEqual([{ calls: 5 }]);
  });

  it('a limit of uses holds for each unit by itself, and an unlimited unit is not counted', async () => {
    const { id } = await openTask();
    const counter = limited(id, { total: { rows: 100, bytes: 2 ** 50 } });
    const take = (amounts: Parameters<typeof useAmounts>[0]) =>
      store.take(use(id, [counter], { amounts: useAmounts(amounts) }));
    expect(await take({ rows: 100, bytes: 2 ** 50 - 1 })).toMatchObject({
      left: { rows: { limit: 100, left: 0 }, bytes: { limit: 2 ** 50, left: 1 } },
    });
    expect(kinds([await take({ bytes: 1 }), await take(1_000_000_000_000), await take({ bytes: 1 })])).toEqual([
      'taken',
      'taken',
      'exhausted',
    ]);
    expect(await scene.query('SELECT calls::int, rows::int, bytes::text FROM use_counter')).toEqual([
      { calls: 0, rows: 100, bytes: String(2 ** 50) },
    ]);
  });

  it('a task without limits takes any number of uses, and no row counts them', async () => {
    const { id } = await openTask();
    expect(await store.take(use(id, []))).toEqual({ kind: 'taken', left: {} });
    expect(await scene.query('SELECT FROM use_counter')).toEqual([]);
  });
});

describe('a task tree', () => {
  it('a child draws from its own limit and from that of its parent; its own ends the child alone', async () => {
    const parent = await openTask();
    const child = await openTask({ id: parent.id, root: parent.id });
    const counters = [calls(child.id, 2), calls(parent.id, 10)];
    await store.take(use(child.id, counters));
    expect(await store.take(use(child.id, counters))).toMatchObject({ left: { calls: { limit: 2, left: 0 } } });
    expect(await store.take(use(child.id, counters))).toMatchObject({
      kind: 'exhausted',
      counter: { taskId: child.id },
    });
    expect(await scene.task(child.id)).toMatchObject({ endCause: 'uses_exhausted' });
    expect((await scene.task(parent.id))?.endCause).toBeUndefined();
    expect(await store.take(use(parent.id, [calls(parent.id, 10)]))).toMatchObject({ left: { calls: { left: 7 } } });
  });

  it('a child that crosses the limit of its parent ends the parent and everything below it', async () => {
    const parent = await openTask();
    const child = await openTask({ id: parent.id, root: parent.id });
    const sibling = await openTask({ id: parent.id, root: parent.id });
    const verdicts = await Promise.all(
      [child, sibling, child, sibling].map(({ id }) => store.take(use(id, [calls(id, 9), calls(parent.id, 3)]))),
    );
    expect(kinds(verdicts)).toEqual(['taken', 'taken', 'taken', 'exhausted']);
    expect(await scene.task(parent.id)).toMatchObject({ endCause: 'uses_exhausted' });
    for (const { id } of [child, sibling]) expect(await scene.task(id)).toMatchObject({ endCause: 'parent_ended' });
    expect(claimed).toHaveLength(3);
  });
});

describe('a use', () => {
  it.each<[string, (id: TaskId, lease: LeaseId) => Promise<unknown>, string]>([
    [
      'whose end is recorded',
      (id) => scene.query(`UPDATE task SET end_cause = 'revoked' WHERE id = $1`, [id]),
      'revoked',
    ],
    ['that is past its deadline', () => scene.advance(36_001), 'expired'],
    ['under a lockdown', (id) => scene.lockDown({ kind: 'task', name: id }), 'lockdown'],
    [
      'whose lease is no longer active',
      (_, lease) => scene.query(`UPDATE lease SET state = 'revoking' WHERE id = $1`, [lease]),
      'lease',
    ],
  ])('a use of a task %s is refused and counts nothing', async (_, change, cause) => {
    const { id, lease } = await openTask();
    const request = use(id, [calls(id, 5)], { leaseId: lease });
    expect(await store.take(request)).toMatchObject({ kind: 'taken' });
    await change(id, lease);
    expect(await store.take(request)).toMatchObject({ kind: 'dead', cause });
    expect(await scene.query('SELECT calls::int FROM use_counter')).toEqual([{ calls: 1 }]);
  });

  it('a use of a task that does not exist is refused', async () => {
    const id = newId('tsk');
    expect(await store.take(use(id, [calls(id, 5)]))).toMatchObject({ kind: 'dead', cause: 'unknown' });
  });

  it('a use that is asked for again with the same key within a minute is the same use, also in one statement', async () => {
    const { id } = await openTask();
    await scene.freeze(scene.clock.now());
    const keyed = (key: string) => store.take(use(id, [calls(id, 3)], { key }));
    expect(kinds(await Promise.all([keyed('a'), keyed('a'), keyed('b')]))).toEqual(['taken', 'repeated', 'taken']);
    await scene.advance(59.9);
    expect(await keyed('a')).toMatchObject({ kind: 'repeated', left: { calls: { left: 1 } } });
    await scene.advance(0.2);
    expect(await keyed('a')).toMatchObject({ kind: 'taken', left: { calls: { left: 0 } } });
    expect(await keyed('a')).toMatchObject({ kind: 'repeated' });
    await scene.advance(300);
    expect(await store.wipe()).toBe(false);
    expect(await scene.query('SELECT FROM use_key')).toEqual([]);
  });

  it('a use waits for a lockdown that is being engaged, and is refused after it', async () => {
    const { id } = await openTask();
    const session = await scene.session();
    await session.query(`BEGIN; SELECT FROM public.guard WHERE kind = 'all' FOR UPDATE`);
    const taking = store.take(use(id, [calls(id, 3)]));
    await scene.untilBlocked();
    await session.query(`INSERT INTO public.guard (kind, name, lockdown_id) VALUES ('task', '${id}', 'lkd_x'); COMMIT`);
    expect(await taking).toMatchObject({ kind: 'dead', cause: 'lockdown' });
  });

  it('a use is refused while the database does not answer', async () => {
    const { id } = await openTask();
    await scene.query('ALTER TABLE use_counter RENAME TO away');
    await expect(store.take(use(id, [calls(id, 3)]))).rejects.toMatchObject({ code: 'unavailable' });
    await scene.query('ALTER TABLE away RENAME TO use_counter');
  });
});

describe('a limit of the minute', () => {
  /** The most calls in any 60 s, by counting at each call. */
  const busiest = (instants: readonly number[]): number =>
    Math.max(0, ...instants.map((start) => instants.filter((at) => at >= start && at < start + 60_000).length));

  it('a limit of the minute never lets more calls pass in any 60 s, and its wait is enough and ends nothing', async () => {
    const steps = fc.array(fc.oneof(fc.nat(400), fc.nat(9_000), fc.integer({ min: 58_000, max: 61_000 })), {
      minLength: 20,
      maxLength: 60,
    });
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 5 }), async (pauses, most) => {
        await scene.empty();
        const { id } = await openTask();
        const request = use(id, [limited(id, { total: {}, callsPerMinute: most })]);
        const start = Date.parse('2030-01-01T00:00:00.123Z');
        await scene.query('UPDATE task SET expires_at = $1', [new Date(start + 86_400_000)]);
        let now = start;
        const passed: number[] = [];
        let waitUntil: number | undefined;
        for (const pause of pauses) {
          now += pause;
          await scene.freeze(new Date(now));
          const verdict = await store.take(request);
          if (verdict.kind === 'taken') passed.push(now);
          else {
            expect(verdict).toMatchObject({ kind: 'too-fast', retryAfterSeconds: expect.any(Number) });
            // It is refused only if the window would be over-full at a second's accuracy, and never after the stated wait.
            expect(waitUntil === undefined || now < waitUntil).toBe(true);
            expect(passed.filter((at) => at > now - 61_000).length).toBeGreaterThanOrEqual(most);
            const wait = verdict.kind === 'too-fast' ? (verdict.retryAfterSeconds ?? 0) : 0;
            expect(wait).toBeLessThanOrEqual(61);
            waitUntil = now + wait * 1000;
          }
          if (verdict.kind === 'taken') waitUntil = undefined;
        }
        expect(busiest(passed)).toBeLessThanOrEqual(most);
        expect((await scene.task(id))?.endCause).toBeUndefined();
      }),
      { numRuns: 12 },
    );
    await scene.freeze(new Date());
  });

  it('a limit of the minute below one use is refused without a time to try again', async () => {
    const { id } = await openTask();
    const counter = limited(id, { total: {}, callsPerMinute: 2 });
    expect(await store.take(use(id, [counter], { amounts: useAmounts(3) }))).toEqual({
      kind: 'too-fast',
      counter,
      left: {},
    });
  });
});

describe('two replicas', () => {
  const WORKERS = 64;
  const TRIES = 12_000;
  const LIMIT = 10_000;

  /** 64 workers try 12,000 times over the stores. Returns the number of permitted uses. */
  async function storm(
    id: TaskId,
    stores: readonly PgUseStore[],
    during: (permitted: number) => void = () => undefined,
  ): Promise<number> {
    const request = use(id, [calls(id, LIMIT)]);
    let [tried, permitted] = [0, 0];
    const worker = async (place: number): Promise<void> => {
      while (tried < TRIES) {
        tried += 1;
        const verdict = await stores[place % stores.length]?.take(request).catch(() => undefined);
        if (verdict?.kind !== 'taken') continue;
        permitted += 1;
        during(permitted);
      }
    };
    await Promise.all(Array.from({ length: WORKERS }, (_, place) => worker(place)));
    return permitted;
  }
  const counted = async (): Promise<number> => {
    const [row] = await scene.query<{ calls: number }>('SELECT calls::int FROM use_counter');
    return row?.calls ?? 0;
  };

  it('two replicas permit exactly 10,000 of 12,000 uses by 64 workers, and the next use has ended the task', async () => {
    const { id } = await openTask();
    expect(await storm(id, [replica('first'), replica('second')])).toBe(LIMIT);
    expect(await counted()).toBe(LIMIT);
    expect(await scene.task(id)).toMatchObject({ endCause: 'uses_exhausted' });
  });

  it('two replicas permit no more than 10,000 uses when the sessions of one are killed in the middle, again and again', async () => {
    const { id } = await openTask();
    const killing: Promise<unknown>[] = [];
    const permitted = await storm(id, [replica('first'), replica('killed')], (soFar) => {
      if (soFar % 1_500 !== 0) return;
      killing.push(
        scene.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'killed'`),
      );
    });
    await Promise.all(killing);
    expect(killing.length).toBeGreaterThan(2);
    expect(permitted).toBeLessThanOrEqual(LIMIT);
    expect(await counted()).toBeGreaterThanOrEqual(permitted);
    expect(await counted()).toBeLessThanOrEqual(LIMIT);
  });
});
