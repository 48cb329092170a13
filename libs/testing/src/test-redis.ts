/**
 * The Redis at `REDIS_URL` of an environment, in the database that has the number of its jest worker: suites run beside
 * each other, and some empty their database. Undefined where no Redis is given.
 */
export function testRedisUrl(environment: Readonly<Record<string, string | undefined>>): string | undefined {
  const { REDIS_URL = '', JEST_WORKER_ID = '1' } = environment;
  return REDIS_URL === '' ? undefined : `${REDIS_URL.replace(/\/\d*$/, '')}/${JEST_WORKER_ID}`;
}
