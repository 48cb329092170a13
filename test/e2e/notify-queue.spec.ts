import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { startTestBroker, type TestBroker } from '../support/broker.js';
import { agentDocument, templateDocument, yamlOf } from '../support/documents.js';
import { type OwnPostgres, startOwnPostgres } from '../support/own-postgres.js';
import { rowsOf } from '../support/rows.js';

let own: OwnPostgres;
let mayfly: TestBroker;
let listener: pg.Client;
const url = () => own.server.url('mayfly', 'postgres');
const notify = () =>
  rowsOf(url(), `SELECT pg_notify('other', repeat('x', 7000) || n) FROM generate_series(1, 10) AS n`);

beforeAll(async () => {
  own = await startOwnPostgres();
  await rowsOf(url(), 'ALTER SYSTEM SET max_notify_queue_pages = 64');
  await own.stop();
  await own.start();
  mayfly = await startTestBroker({
    documents: yamlOf(agentDocument('first'), templateDocument('read')),
    environment: { DATABASE_URL: own.server.url('mayfly'), MAYFLY_MIGRATION_URL: url() },
  });
  listener = new pg.Client({ connectionString: url() });
  await listener.connect();
});
afterAll(async () => {
  await mayfly.stop();
  await own.remove();
});

const ask = () =>
  mayfly.send('POST /tasks', { token: mayfly.agentToken('first'), body: { template: 'read', purpose: 'look' } });
const step = (word: string) => mayfly.send(`POST /agents/first/${word}`, { token: mayfly.personToken('operator') });
/** Looks at the queue as the loop does each minute. Returns the value that a scrape shows. */
async function usage(): Promise<number> {
  const { notifyQueue, metrics } = mayfly.broker.services;
  await notifyQueue.round();
  return Number(/^mayfly_notify_queue_usage (.+)$/m.exec((await metrics.render()).body)?.[1]);
}

describe('a notification queue that a foreign session has filled', () => {
  beforeAll(async () => {
    await listener.query('LISTEN other');
    await listener.query('BEGIN; SELECT 1');
    await expect(
      (async () => {
        for (let n = 0; n < 100; n += 1) await notify();
      })(),
    ).rejects.toMatchObject({ code: '54000' });
  });

  it('a notification queue that a foreign session has filled is measured', async () => {
    expect(await usage()).toBeGreaterThan(0.5);
  });

  it('stops no change of declared state, no grant and no ending', async () => {
    const granted = await ask();
    expect(granted).toMatchObject({ status: 201 });
    expect(await step('suspend')).toMatchObject({ status: 200 });
    expect(await ask()).toMatchObject({ status: 403, body: { control: 'agent-lifecycle' } });
    const [task] = await rowsOf(url(), 'SELECT end_cause FROM task');
    expect(task).toEqual({ end_cause: 'agent_suspended' });
    expect(await step('activate')).toMatchObject({ status: 200 });
    expect(await ask()).toMatchObject({ status: 201 });
  });

  it('a notification queue that a foreign session has filled is clear again after the first look that follows the end of the session', async () => {
    await listener.end();
    await usage();
    expect(await usage()).toBeLessThan(0.1);
    await notify();
  });
});
