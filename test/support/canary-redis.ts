import { Redis } from 'ioredis';
import type { Canaries } from './canaries.js';
import { lettersOf } from './canary-back-ends.js';
import { everyKey } from './every-key.js';
import { startTestRedis } from './redis.js';

const USER = 'canary';

/** A Redis at which Mayfly has its own user, whose password is planted. */
export interface CanaryRedis {
  /** with the planted password */
  readonly url: string;
  /** Returns the commands of this database so far, and every key that it has now. */
  read(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** Returns undefined where no Redis is named or installed. */
export async function openCanaryRedis(canaries: Canaries): Promise<CanaryRedis | undefined> {
  const redis = await startTestRedis();
  if (redis === undefined) return undefined;
  const client = new Redis(redis.url);
  const [url, password] = [new URL(redis.url), lettersOf('redis')];
  canaries.plant('password at Redis', password);
  await client.call('ACL', 'SETUSER', USER, 'reset', 'on', `>${password}`, '~*', '&*', '+@all');
  const commands: string[] = [];
  const monitor = await client.monitor();
  monitor.on('monitor', (_time: string, command: readonly string[], _source: string, database: string) => {
    if (database === url.pathname.slice(1)) commands.push(command.join(' '));
  });
  [url.username, url.password] = [USER, password];
  return {
    url: url.href,
    read: async () => [...commands, ...(await everyKey(client))],
    close: async () => {
      await client.call('ACL', 'DELUSER', USER);
      monitor.disconnect();
      client.disconnect();
      await redis.stop();
    },
  };
}
