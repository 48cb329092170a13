import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { testRedisUrl } from '@mayfly/testing';
import { Redis } from 'ioredis';
import { startTestBroker, type TestBroker } from '../support/broker.js';
import { starterWith } from '../support/starter.js';
import { leaseRoles, openTransaction, roleOf } from '../support/target.js';
import { grant, leaseIdOf, READ_EMEA, secretOf, taskIn } from '../support/tasks.js';
import { rowsOf } from '../support/rows.js';
import { until } from '../support/until.js';

const url = testRedisUrl(process.env) ?? '';
if (url === '') console.log('SKIPPED SUITE: redis (REDIS_URL is not set)');
const describeWithRedis = url === '' ? describe.skip : describe;

/** The key under which BullMQ keeps the jobs that wait for their time. */
const DELAYED = 'bull:leases:delayed';

describeWithRedis('the queue on Redis', () => {
  let mayfly: TestBroker;
  let targetUrl: string;
  let redis: Redis;
  beforeAll(async () => {
    ({ targetUrl } = await starterWith());
    redis = new Redis(url);
    mayfly = await startTestBroker({ environment: { REDIS_URL: url, MAYFLY_QUEUE: 'on' } });
  });
  afterAll(async () => {
    await mayfly.stop();
    await redis.quit();
  });

  const jobOf = async (leaseId: string): Promise<string | undefined> =>
    (await redis.zrange(DELAYED, '0', '-1')).find((id) => id.includes(leaseId));

  it('Redis holds a job for the deadline of a task, which ends on time', async () => {
    const token = mayfly.agentToken('support-agent');
    // A service that opens its queue slowly drops the first jobs.
    const { task, leaseId, job } = await until('a job is in Redis', 40, async () => {
      const granted = await grant(mayfly, token, { ...READ_EMEA, ttlSeconds: 5 });
      const id = leaseIdOf(granted, 'db');
      const found = await until('the job is in Redis', 2, () => jobOf(id)).catch(() => undefined);
      return found === undefined ? undefined : { task: granted, leaseId: id, job: found };
    });
    const session = await openTransaction(secretOf(task, 'db', 'url'));
    expect(await redis.hget(`bull:leases:${job}`, 'data')).toBe(JSON.stringify({ leaseId }));
    const late = performance.timeOrigin + (await session.ended) - Date.parse(task.expiresAt);
    console.log(`redis: session dead ${late.toFixed(0)} ms after the deadline`);
    expect(late).toBeLessThan(10_000);
    await until('the task is expired', 10, async () => {
      const { state } = taskIn(await mayfly.send(`GET /tasks/${task.id}`, { token }));
      return state === 'expired';
    });
    expect(await leaseRoles(targetUrl)).not.toContain(roleOf(leaseId));
    // The sweep may have closed the lease before its job ran.
    await until('the job is gone', 10, async () => (await jobOf(leaseId)) === undefined);
  });

  it('a service with Redis creates no queue in PostgreSQL', async () => {
    const rows = await rowsOf(mayfly.database.adminUrl, `SELECT to_regnamespace('bullmq') AS schema`);
    expect(rows).toEqual([{ schema: null }]);
  });
});
