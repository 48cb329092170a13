import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type BrokerProcess, type DatabaseScene, openDatabaseScene } from '../support/broker-process.js';
import { templateDocument } from '../support/documents.js';
import { rowsOf } from '../support/rows.js';
import { READ_CASES, starterWith } from '../support/starter.js';
import { openTransaction } from '../support/target.js';
import { grant, secretOf, type TaskBody } from '../support/tasks.js';
import { until } from '../support/until.js';

const LIMIT = 500;
const TRIES = 650;
const WORKERS = 64;

let scene: DatabaseScene;
let brokers: readonly [BrokerProcess, BrokerProcess];
let gateway: string;

beforeAll(async () => {
  const quota = { tasksPerMinute: 100, concurrentTasks: 100, uses: LIMIT };
  const counted = templateDocument('counted', {
    ...{ quota, operations: ['select'], credentials: READ_CASES },
    requesters: { agents: { duty: 'support' }, runtimes: ['developer-laptop'] },
  });
  scene = await openDatabaseScene((await starterWith(counted)).documents);
  brokers = [await scene.start(), await scene.start()];
  gateway = await scene.agentToken('resource-server/crm');
}, 120_000);
afterAll(() => scene.close());

async function newTask(): Promise<TaskBody> {
  const token = await scene.agentToken('support-agent');
  return grant(brokers[0], token, { template: 'counted', parameters: {}, purpose: 'answer ticket 4711' });
}

/** Many workers ask both processes. Returns the number of permits; `during` hears each of them. */
async function storm({ taskToken }: TaskBody, during: (permitted: number) => void = () => undefined): Promise<number> {
  const body = { token: taskToken?.value, operation: 'select', target: 'crm' };
  let [tried, permitted] = [0, 0];
  const worker = async (broker: BrokerProcess | undefined): Promise<void> => {
    while (tried < TRIES) {
      tried += 1;
      const answer = await broker?.send('POST /authorize', { token: gateway, body }).catch(() => undefined);
      if (answer?.body.decision !== true) continue;
      permitted += 1;
      during(permitted);
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, (_, place) => worker(brokers[place % 2])));
  return permitted;
}

async function counted({ id }: TaskBody): Promise<number> {
  const rows = await rowsOf<{ calls: number }>(
    scene.database.adminUrl,
    `SELECT calls::int FROM use_counter WHERE task_id = '${id}'`,
  );
  return rows[0]?.calls ?? 0;
}

const causeOf = async ({ id }: TaskBody): Promise<string | null | undefined> => {
  const rows = await rowsOf<{ end_cause: string | null }>(
    scene.database.adminUrl,
    `SELECT end_cause FROM task WHERE id = '${id}'`,
  );
  return rows[0]?.end_cause;
};

describe('uses at two processes', () => {
  it('uses at two processes are permitted exactly so often as the limit says, and then the session of the credential fails', async () => {
    const task = await newTask();
    const session = await openTransaction(secretOf(task, 'db', 'url'));
    expect(await storm(task)).toBe(LIMIT);
    expect(await counted(task)).toBe(LIMIT);
    expect(await causeOf(task)).toBe('uses_exhausted');
    await session.ended;
    await expect(session.client.query('SELECT 1')).rejects.toThrow();
  });

  it('uses at two processes are never more when one is killed in the middle, and the other ends the task', async () => {
    const task = await newTask();
    const session = await openTransaction(secretOf(task, 'db', 'url'));
    let killed: Promise<void> | undefined;
    const permitted = await storm(task, (sofar) => {
      if (sofar === LIMIT / 2) killed = brokers[1].kill();
    });
    await killed;
    expect(killed).toBeDefined();
    expect(permitted).toBeGreaterThanOrEqual(LIMIT / 2);
    expect(permitted).toBeLessThanOrEqual(LIMIT);
    // What the killed process took and could not answer stays taken.
    expect(await counted(task)).toBeGreaterThanOrEqual(permitted);
    expect(await counted(task)).toBeLessThanOrEqual(LIMIT);
    const body = { token: task.taskToken?.value, operation: 'select', target: 'crm' };
    await until('the limit is crossed', 30, async () => {
      const answers = await Promise.all(
        Array.from({ length: 32 }, () => brokers[0].send('POST /authorize', { token: gateway, body })),
      );
      return answers.some(({ body: answer }) => answer.decision === false);
    });
    expect(await counted(task)).toBe(LIMIT);
    await session.ended;
    await expect(session.client.query('SELECT 1')).rejects.toThrow();
  });
});
