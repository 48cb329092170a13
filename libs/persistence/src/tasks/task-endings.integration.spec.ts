import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { auditEntry, MAYFLY } from '@mayfly/audit';
import { declareFor, TaskDatabase, taskIntent } from '@mayfly/testing';
import type { Pool } from 'pg';
import { PgAgentLifecycleStore } from '../declarations/agent-lifecycle.store.js';
import { suspensionOf } from '../request-stores.fixture.js';
import { TaskEndings } from './task-endings.js';
import { PgClosingStore } from './closing.store.js';
import { PgIssuanceStore } from './issuance.store.js';

const TASKS = 10;
const BATCH = 3;
/** The batches of ten tasks at a connection: three full ones, a last one, and an empty one for the other tasks. */
const BATCHES = 5;

let scene: TaskDatabase;
let pool: Pool;
let closing: PgClosingStore;
let name: string;
beforeAll(async () => {
  scene = await TaskDatabase.start();
  pool = scene.pool();
  closing = new PgClosingStore(pool, scene.clock);
});
beforeEach(async () => {
  await scene.empty();
  const intents = Array.from({ length: TASKS }, () => taskIntent(scene.clock, { leaseState: 'active' }));
  await declareFor(scene, intents[0]!);
  name = intents[0]!.task.agent.id;
  const opened = await Promise.all(intents.map((intent) => new PgIssuanceStore(pool).open(intent)));
  expect(new Set(opened)).toEqual(new Set(['opened']));
});
afterAll(() => scene.stop());

/** Ends tasks as the stores do, and fails like a process that dies in the transaction after `batches` batches. */
function endingsThatDieAfter(batches: number): TaskEndings {
  let ended = 0;
  const endInTransaction: PgClosingStore['endInTransaction'] = async (client, requests) => {
    await closing.endInTransaction(client, requests);
    ended += 1;
    if (ended > batches) throw new Error('the process died');
  };
  return new TaskEndings(pool, { endInTransaction }, BATCH);
}

function move(endings: TaskEndings, to: 'active' | 'suspended'): Promise<unknown> {
  const type = to === 'active' ? 'agent.activated' : 'agent.suspended';
  return new PgAgentLifecycleStore(pool, endings).underLock(name, (agent) =>
    agent.move({
      ...{ to, by: { name: 'operator', actor: MAYFLY } },
      entry: auditEntry(type, scene.clock.now(), MAYFLY, { agent: name }, { to }),
      ...(to === 'suspended' ? { ends: 'agent_suspended' as const } : {}),
    }),
  );
}

const ended = async (): Promise<number> => {
  const [row] = await scene.query<{ count: number }>(
    `SELECT count(*)::int FROM task WHERE end_cause = 'agent_suspended'`,
  );
  return row!.count;
};
const stateOfAgent = () => scene.query('SELECT state FROM agent');
const pending = () => scene.query('SELECT to_task FROM task_ending');

describe('a suspension of an agent with more tasks than a batch', () => {
  it('a suspension of an agent with more tasks than a batch has ended every task, and revokes every lease, when it is answered', async () => {
    await move(new TaskEndings(pool, closing, BATCH), 'suspended');
    expect(await ended()).toBe(TASKS);
    expect(await pending()).toEqual([]);
    expect(await scene.query('SELECT DISTINCT state, end_cause FROM lease')).toEqual([
      { state: 'revoking', end_cause: 'agent_suspended' },
    ]);
    expect(await closing.claimDue({ limit: 50 })).toHaveLength(TASKS);
  });

  it('stops grants before its first batch, also when it dies there', async () => {
    await expect(move(endingsThatDieAfter(0), 'suspended')).rejects.toMatchObject({ code: 'unavailable' });
    expect(await ended()).toBe(0);
    expect(await stateOfAgent()).toEqual([{ state: 'suspended' }]);
    expect(await new PgIssuanceStore(pool).open(taskIntent(scene.clock))).toBe('agent');
  });

  it.each([0, 1, 2, 3])(
    'a suspension of an agent with more tasks than a batch that dies after %i batches is completed by a worker',
    async (batches) => {
      await expect(move(endingsThatDieAfter(batches), 'suspended')).rejects.toMatchObject({ code: 'unavailable' });
      expect(await ended()).toBe(batches * BATCH);
      const worker = new TaskEndings(scene.pool(), closing, BATCH);
      let rounds = 0;
      while (await worker.round()) rounds += 1;
      expect(rounds).toBe(BATCHES - batches);
      expect(await ended()).toBe(TASKS);
      expect(await pending()).toEqual([]);
      const endings = await scene.query(
        `SELECT task_id FROM audit_entry WHERE type = 'task.ending' GROUP BY task_id HAVING count(*) = 1`,
      );
      expect(endings).toHaveLength(TASKS);
    },
  );

  it('a suspension of an agent with more tasks than a batch that died is completed by its repetition, before that is answered', async () => {
    await expect(move(endingsThatDieAfter(1), 'suspended')).rejects.toMatchObject({ code: 'unavailable' });
    const store = new PgAgentLifecycleStore(pool, new TaskEndings(pool, closing, BATCH));
    await store.underLock(name, async ({ record }) => expect(record?.agent?.state).toBe('suspended'));
    expect(await ended()).toBe(TASKS);
  });

  it('a suspension of an agent with more tasks than a batch is completed before the agent becomes active, so that no later task is ended', async () => {
    await expect(move(endingsThatDieAfter(1), 'suspended')).rejects.toMatchObject({ code: 'unavailable' });
    await expect(move(endingsThatDieAfter(0), 'active')).rejects.toMatchObject({ code: 'unavailable' });
    expect(await stateOfAgent()).toEqual([{ state: 'suspended' }]);
    await move(new TaskEndings(pool, closing, BATCH), 'active');
    const later = taskIntent(scene.clock);
    expect(await new PgIssuanceStore(pool).open(later)).toBe('opened');
    expect(await new TaskEndings(pool, closing, BATCH).round()).toBe(false);
    expect((await scene.task(later.task.id))?.endCause).toBeUndefined();
  });

  it('a suspension of an agent with more tasks than a batch cannot be overtaken by an activation that read the agent before', async () => {
    const endings = new TaskEndings(pool, closing, BATCH);
    const slow = new PgAgentLifecycleStore(pool, endings).underLock(name, async (agent) => {
      await endings.request(await held(), suspensionOf(name));
      return agent.move({
        ...{ to: 'active' as const, by: { name: 'operator', actor: MAYFLY } },
        entry: auditEntry('agent.activated', scene.clock.now(), MAYFLY, { agent: name }, { to: 'active' }),
      });
    });
    await expect(slow).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('a suspension of an agent with more tasks than a batch is shared by two workers without an end that is recorded twice', async () => {
    await expect(move(endingsThatDieAfter(0), 'suspended')).rejects.toMatchObject({ code: 'unavailable' });
    const drain = async (): Promise<void> => {
      const worker = new TaskEndings(scene.pool(), closing, BATCH);
      while (await worker.round());
    };
    await Promise.all([drain(), drain()]);
    await drain();
    expect(await ended()).toBe(TASKS);
    expect(await scene.query(`SELECT FROM audit_entry WHERE type = 'task.ending'`)).toHaveLength(TASKS);
  });
});

const held = () => scene.session();
