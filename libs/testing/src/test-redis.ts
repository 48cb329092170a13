/**
 * The Redis at `REDIS_URL`, in the database that has the number of this jest worker: suites run beside each other, and
 * some empty their database. Undefined where no Redis is given.
 */
export function testRedisUrl(): string | undefined {
  const { REDIS_URL = '', JEST_WORKER_ID = '1' } = process.env;
  return REDIS_URL === '' ? undefined : `${REDIS_URL.replace(/\/\d*$/, '')}/${JEST_WORKER_ID}`;
}
