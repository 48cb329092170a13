/**
 * Returns the URL of the Redis at `REDIS_URL` with one database for each jest worker: suites run in parallel, and some
 * empty their database. Undefined without a `REDIS_URL`.
 */
export function testRedisUrl(environment: Readonly<Record<string, string | undefined>>): string | undefined {
  const { REDIS_URL = '', JEST_WORKER_ID = '1' } = environment;
  return REDIS_URL === '' ? undefined : `${REDIS_URL.replace(/\/\d*$/, '')}/${JEST_WORKER_ID}`;
}
