import type { Redis } from 'ioredis';

/** The command that reads a whole key, by the type of the key. */
const READERS: Readonly<Record<string, (redis: Redis, key: string) => Promise<unknown>>> = {
  string: (redis, key) => redis.get(key),
  hash: (redis, key) => redis.hgetall(key),
  list: (redis, key) => redis.lrange(key, 0, -1),
  set: (redis, key) => redis.smembers(key),
  zset: (redis, key) => redis.zrange(key, '0', '-1', 'WITHSCORES'),
  stream: (redis, key) => redis.xrange(key, '-', '+'),
};

/** Returns every key of a Redis database as text, with its type and content. Throws for a type that nobody reads. */
export async function everyKey(redis: Redis): Promise<readonly string[]> {
  const keys = await redis.keys('*');
  return Promise.all(
    keys.map(async (key) => {
      const type = await redis.type(key);
      // a key may end between two commands
      if (type === 'none') return key;
      const read = READERS[type];
      if (read === undefined) throw new Error(`the key ${key} has the type ${type}, which nobody reads`);
      return `${key} ${type} ${JSON.stringify(await read(redis, key))}`;
    }),
  );
}
