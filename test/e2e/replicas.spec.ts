import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestBroker, type TestAnswer, type TestBroker } from '../support/broker.js';
import { agentDocument, templateDocument, yamlOf } from '../support/documents.js';
import { rowsOf } from '../support/rows.js';
import { taskIn } from '../support/tasks.js';
import { until } from '../support/until.js';

const LIMIT = 50;
let replicas: readonly [TestBroker, TestBroker];
let answers: TestAnswer[];

beforeAll(async () => {
  const quota = { tasksPerMinute: 10_000, concurrentTasks: LIMIT };
  const documents = yamlOf(agentDocument('first'), templateDocument('read', { quota }));
  const one = await startTestBroker({ documents });
  replicas = [one, await startTestBroker({ documents, beside: one })];
});
afterAll(async () => {
  for (const replica of [...replicas].reverse()) await replica.stop();
});

async function ask(n: number): Promise<TestAnswer> {
  const replica = replicas[n % 2 === 0 ? 0 : 1];
  const body = { template: 'read', purpose: `request ${String(n)}` };
  return replica.send('POST /tasks', { token: replica.agentToken('first'), body });
}

const granted = () => answers.filter(({ status }) => status === 201);

describe('200 posts at once over two replicas, at a limit of 50 concurrent tasks', () => {
  beforeAll(async () => {
    answers = await Promise.all(Array.from({ length: 200 }, (_, n) => ask(n)));
  });

  it('200 posts at once over two replicas with a limit of 50 tasks are granted exactly 50 times', async () => {
    expect(granted()).toHaveLength(LIMIT);
    const rows = await rowsOf(
      replicas[0].database.adminUrl,
      `SELECT (SELECT count(*)::int FROM task) AS tasks, (SELECT sum(active)::int FROM quota_counter) AS counted`,
    );
    expect(rows).toEqual([{ tasks: LIMIT, counted: LIMIT }]);
  });

  it('200 posts at once over two replicas with a limit of 50 tasks are refused 150 times by the limit, which the refusal and the audit name', async () => {
    const refused = answers.filter(({ status }) => status !== 201);
    expect(refused).toHaveLength(150);
    for (const { status, headers, body } of refused) {
      expect({ status, control: body.control }).toEqual({ status: 429, control: 'quota-concurrent-tasks' });
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    }
    const denials = await rowsOf(
      replicas[0].database.adminUrl,
      `SELECT count(*)::int FROM audit_entry WHERE type = 'task.denied' AND body LIKE '%quota-concurrent-tasks%'`,
    );
    expect(denials).toEqual([{ count: 150 }]);
  });

  it('200 posts at once over two replicas with a limit of 50 tasks make room for one more with each that is completed, on whichever replica', async () => {
    expect(await ask(201)).toMatchObject({ status: 429 });
    const [done] = granted();
    const token = replicas[1].agentToken('first');
    const id = done === undefined ? '' : taskIn(done).id;
    expect(await replicas[1].send(`POST /tasks/${id}/complete`, { token })).toMatchObject({
      body: { state: 'completed' },
    });
    expect(await ask(202)).toMatchObject({ status: 201 });
    expect(await ask(203)).toMatchObject({ status: 429 });
  });
});

describe('declared state', () => {
  it('declared state that was changed without any notification is known to every replica', async () => {
    const { adminUrl } = replicas[0].database;
    const stateIn = ({ broker }: TestBroker): string | undefined =>
      (
        broker.services.catalog as unknown as { loaded: { agents: ReadonlyMap<string, { state: string }> } }
      ).loaded.agents.get('first')?.state;
    for (const state of ['suspended', 'active']) {
      await rowsOf(adminUrl, `UPDATE agent SET state = '${state}' WHERE name = 'first'`);
      await until(`every replica knows ${state}`, 10, async () =>
        replicas.every((replica) => stateIn(replica) === state),
      );
    }
  });

  it('declared state that one replica has changed is in force at the other', async () => {
    const token = replicas[0].personToken('platform');
    expect(await replicas[0].send('POST /agents/first/suspend', { token })).toMatchObject({ status: 200 });
    // at once, whether the other has heard of it or not: the transaction that grants looks again
    for (const n of [1, 0]) expect(await ask(n)).toMatchObject({ status: 403, body: { control: 'agent-lifecycle' } });
  });
});
