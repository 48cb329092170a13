import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { testRedisUrl } from '@mayfly/testing';
import { Redis } from 'ioredis';
import { startTestBroker, type TestBroker } from '../support/broker.js';
import { rowsOf } from '../support/rows.js';
import { starterWith } from '../support/starter.js';
import { leaseRoles, openTransaction, roleOf } from '../support/target.js';
import { grant, leaseIdOf, READ_EMEA, secretOf, type TaskBody, taskIn } from '../support/tasks.js';
import { until } from '../support/until.js';

/** A queue, with what a test needs to look into it and to lose it. */
interface Queue {
  readonly environment: Readonly<Record<string, string>>;
  has(mayfly: TestBroker, leaseId: string): Promise<boolean>;
  lose(mayfly: TestBroker): Promise<void>;
  close(): Promise<void>;
}

const TABLES = `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname = 'bullmq'`;
const onPostgres = (): Queue => ({
  environment: { MAYFLY_QUEUE: 'on' },
  has: async ({ database }, leaseId) => {
    const [row] = await rowsOf<{ exists: boolean }>(
      database.adminUrl,
      `SELECT to_regclass('bullmq.job') IS NOT NULL AS exists`,
    );
    if (row?.exists !== true) return false;
    const jobs = await rowsOf(database.adminUrl, 'SELECT FROM bullmq.job j WHERE j::text LIKE $1', [`%${leaseId}%`]);
    return jobs.length > 0;
  },
  lose: async ({ database }) => {
    const tables = await rowsOf<{ name: string }>(database.adminUrl, TABLES);
    await rowsOf(database.adminUrl, `TRUNCATE ${tables.map(({ name }) => name).join(', ')} CASCADE`);
  },
  close: async () => undefined,
});

const url = testRedisUrl(process.env) ?? '';
if (url === '') console.log('SKIPPED SUITE: a lost queue on Redis (REDIS_URL is not set)');
const onRedis = (): Queue => {
  const redis = new Redis(url);
  return {
    environment: { MAYFLY_QUEUE: 'on', REDIS_URL: url },
    has: async (_, leaseId) => (await redis.keys(`bull:leases:*${leaseId}*`)).length > 0,
    // As FLUSHALL: the server has other databases for other suites.
    lose: async () => {
      await redis.flushdb();
    },
    close: async () => {
      await redis.quit();
    },
  };
};

const QUEUES = [['PostgreSQL', onPostgres] as const, ...(url === '' ? [] : [['Redis', onRedis] as const])];

describe.each(QUEUES)('a queue on %s that is lost', (_, open) => {
  let queue: Queue;
  let mayfly: TestBroker;
  let targetUrl: string;
  beforeAll(async () => {
    ({ targetUrl } = await starterWith());
    queue = open();
    mayfly = await startTestBroker({ environment: queue.environment });
  }, 60_000);
  afterAll(async () => {
    await mayfly.stop();
    await queue.close();
  });

  const granted = (ttlSeconds: number) =>
    grant(mayfly, mayfly.agentToken('support-agent'), { ...READ_EMEA, ttlSeconds });
  const expired = (task: TaskBody) =>
    until('the task is expired', 30, async () => {
      const { body } = await mayfly.send(`GET /tasks/${task.id}`, { token: mayfly.agentToken('support-agent') });
      return taskIn({ body } as never).state === 'expired';
    });

  /** Grants tasks until one has its job: a service that opens its queue slowly drops the first jobs. */
  const withJob = () =>
    until('a job is in the queue', 40, async () => {
      const task = await granted(6);
      const isThere = () => queue.has(mayfly, leaseIdOf(task, 'db'));
      return until('the job is in the queue', 2, isThere).then(
        () => task,
        () => false as const,
      );
    });

  it('a task whose job is lost ends on time, and later tasks have jobs again, so nobody has to act', async () => {
    const task = await withJob();
    const session = await openTransaction(secretOf(task, 'db', 'url'));
    await queue.lose(mayfly);
    expect(await queue.has(mayfly, leaseIdOf(task, 'db'))).toBe(false);
    await withJob();

    const late = performance.timeOrigin + (await session.ended) - Date.parse(task.expiresAt);
    console.log(`lost queue: session dead ${late.toFixed(0)} ms after the deadline`);
    expect(late).toBeLessThan(10_000);
    await expired(task);
    expect(await leaseRoles(targetUrl)).not.toContain(roleOf(leaseIdOf(task, 'db')));
  }, 120_000);
});
