import { createServer } from 'node:net';
import { newId, type Clock, type LeaseId } from '@mayfly/kernel';
import { startTestPostgres, testRedisUrl, type TestDatabase } from '@mayfly/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import pg from 'pg';
import { postgresBackend, redisBackend, type QueueBackend } from './queue-backend.js';
import { LeaseQueue } from './queue.js';

// The queue compares `runAt` with the clock that its server runs by, so this suite lives in real time.
const clock: Clock = { now: () => new Date() };
const quietPort = await unusedPort();

const open: LeaseQueue[] = [];
let warnings: object[] = [];

function leaseQueue(backend: QueueBackend): LeaseQueue {
  const queue = new LeaseQueue(backend, clock, { warn: (members) => warnings.push(members) });
  open.push(queue);
  return queue;
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((queue) => queue.close()));
  warnings = [];
});

interface Recorder {
  readonly handler: (leaseId: LeaseId) => Promise<void>;
  readonly seen: (count: number) => Promise<readonly LeaseId[]>;
}

/** Works off the queue into a list; `seen(n)` answers once n jobs have run. */
function recorder(): Recorder {
  const seen: LeaseId[] = [];
  let wake: () => void = () => undefined;
  return {
    handler: async (leaseId: LeaseId) => {
      seen.push(leaseId);
      wake();
    },
    async seen(count: number): Promise<readonly LeaseId[]> {
      while (seen.length < count) await new Promise<void>((resolve) => (wake = resolve));
      return seen;
    },
  };
}

const noFields: Record<string, string> = {};
const inMs = (ms: number) => new Date(clock.now().getTime() + ms);
const job = (leaseId: LeaseId, ms: number, reason = 'due') => ({ leaseId, reason, runAt: inMs(ms) });

interface Server {
  readonly backend: () => QueueBackend;
  /** everything that the queue has stored */
  readonly stored: () => Promise<string>;
}

function queueSuite(server: () => Server): void {
  // Makes what the queue needs at its server, which may take longer than `add` waits.
  beforeAll(async () => {
    const sink = await server().backend().sink();
    await sink.waitUntilReady();
    await sink.close();
  });

  it('the queue runs due jobs, the earlier first', async () => {
    const [first, second] = [newId('lse'), newId('lse')];
    const { handler, seen } = recorder();
    const queue = leaseQueue(server().backend());
    queue.work(handler, 1);
    const began = clock.now();
    await queue.add([job(second, 400), job(first, 150)]);
    expect(await seen(2)).toEqual([first, second]);
    const tookMs = clock.now().getTime() - began.getTime();
    expect(tookMs).toBeGreaterThanOrEqual(390);
    expect(tookMs).toBeLessThan(5000);
    expect(warnings).toEqual([]);
  });

  it('the queue keeps one job of the same reason, lease and second, and both of two reasons', async () => {
    const [twice, last] = [newId('lse'), newId('lse')];
    const runAt = inMs(200);
    const { handler, seen } = recorder();
    const queue = leaseQueue(server().backend());
    await Promise.all([1, 2, 3].map(() => queue.add([{ leaseId: twice, reason: 'due', runAt }])));
    await queue.add([{ leaseId: twice, reason: 'retry', runAt }, job(last, 600)]);
    queue.work(handler, 1);
    expect(await seen(3)).toEqual([twice, twice, last]);
  });

  it('the queue hands a job to one of several workers, also one that another process added', async () => {
    const ids = Array.from({ length: 40 }, () => newId('lse'));
    const { handler, seen } = recorder();
    leaseQueue(server().backend()).work(handler, 4);
    leaseQueue(server().backend()).work(handler, 4);
    await leaseQueue(server().backend()).add(ids.map((id) => job(id, 50)));
    expect(new Set(await seen(40))).toEqual(new Set(ids));
    expect(await seen(40)).toHaveLength(40);
  });

  it('the queue stores only the lease id, and nothing once a job has run or failed', async () => {
    const [waiting, done] = [newId('lse'), newId('lse')];
    const { handler, seen } = recorder();
    const queue = leaseQueue(server().backend());
    queue.work(async (leaseId) => {
      await handler(leaseId);
      throw new Error('canary');
    }, 1);
    await queue.add([job(waiting, 60_000), job(done, 0)]);
    await seen(1);
    await queue.close();
    const stored = await server().stored();
    expect(stored).toContain(`data {"leaseId":"${waiting}"} end`);
    expect(stored).not.toContain(done);
    expect(stored).not.toContain('canary');
  });
}

describe('LeaseQueue on PostgreSQL', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await (await startTestPostgres()).createDatabase();
  });
  afterAll(() => database.drop());

  async function rows(text: string): Promise<unknown[]> {
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(text)).rows;
    } finally {
      await client.end();
    }
  }

  queueSuite(() => ({
    backend: () => postgresBackend(database.url),
    stored: async () => {
      const jobs = (await rows('TABLE bullmq.job')) as { readonly data: unknown }[];
      return jobs.map(({ data, ...others }) => `${JSON.stringify(others)} data ${JSON.stringify(data)} end`).join();
    },
  }));

  it('LeaseQueue on PostgreSQL keeps to its own schema', async () => {
    expect(await rows(`SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace`)).toEqual([]);
  });

  it('LeaseQueue on PostgreSQL continues after the server has dropped every connection', async () => {
    const [before, after] = [newId('lse'), newId('lse')];
    const { handler, seen } = recorder();
    const queue = leaseQueue(postgresBackend(database.url));
    queue.work(handler, 1);
    await queue.add([job(before, 0)]);
    await seen(1);
    await rows(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`,
    );
    await leaseQueue(postgresBackend(database.url)).add([job(after, 0)]);
    expect(await seen(2)).toEqual([before, after]);
  });

  it('LeaseQueue on PostgreSQL lets the service start, issue and close while the server is away', async () => {
    const queue = leaseQueue(postgresBackend(`postgresql://mayfly:canary@127.0.0.1:${String(quietPort)}/none`));
    queue.work(async () => undefined, 1);
    await queue.add([job(newId('lse'), 0)]);
    await queue.close();
    expect(warnings).toHaveLength(1);
  });
});

const redisUrl = testRedisUrl(process.env);
if (redisUrl === undefined) console.warn('SKIPPED SUITE: LeaseQueue on Redis (set REDIS_URL)');
else {
  describe('LeaseQueue on Redis', () => {
    const redis = new Redis(redisUrl);

    beforeAll(() => redis.flushdb());
    afterAll(() => redis.quit());

    async function stored(): Promise<string> {
      const hashes = (await redis.keys('*')).map(async (key) =>
        (await redis.type(key)) === 'hash' ? redis.hgetall(key) : noFields,
      );
      const jobs = await Promise.all(hashes);
      return jobs.map(({ data, ...others }) => `${JSON.stringify(others)} data ${data ?? ''} end`).join();
    }

    queueSuite(() => ({ backend: () => redisBackend(redisUrl), stored }));

    it('LeaseQueue on Redis lets the service start, issue and close while the server is away', async () => {
      const queue = leaseQueue(redisBackend(`redis://:canary@127.0.0.1:${String(quietPort)}`));
      queue.work(async () => undefined, 1);
      const began = clock.now();
      await queue.add([job(newId('lse'), 0)]);
      await queue.close();
      expect(clock.now().getTime() - began.getTime()).toBeLessThan(3000);
      expect(warnings).toHaveLength(1);
      expect(JSON.stringify(warnings)).not.toContain('canary');
    });
  });
}

async function unusedPort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        resolve(typeof address === 'object' && address !== null ? address.port : 1);
      });
    });
  });
}
