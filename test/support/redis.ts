import { spawn, spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { testRedisUrl } from '@mayfly/testing';
import { Redis } from 'ioredis';
import { unusedPort } from './broker-process.js';
import { until } from './until.js';

const PROGRAM = 'redis-server';

/** A Redis for one spec only. */
export interface TestRedis {
  readonly url: string;
  stop(): Promise<void>;
}

/** Empties this worker's database at `REDIS_URL`, or starts a server if its program is installed; else undefined. */
export async function startTestRedis(): Promise<TestRedis | undefined> {
  const url = testRedisUrl(process.env);
  if (url !== undefined) return emptied(url, () => Promise.resolve());
  if (spawnSync(PROGRAM, ['--version']).status !== 0) return undefined;
  const port = String(await unusedPort());
  const settings = ['--bind', '127.0.0.1', '--port', port, '--save', '', '--appendonly', 'no', '--dir', tmpdir()];
  const server = spawn(PROGRAM, settings, { stdio: 'ignore' });
  const gone = new Promise<void>((resolve) =>
    server.once('exit', () => {
      resolve();
    }),
  );
  return emptied(`redis://127.0.0.1:${port}/1`, () => {
    server.kill('SIGKILL');
    return gone;
  });
}

async function emptied(url: string, stop: () => Promise<void>): Promise<TestRedis> {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => 50 });
  client.on('error', () => undefined);
  await until('Redis answers', 10, () =>
    client.flushdb().then(
      () => true,
      () => false,
    ),
  );
  await client.quit();
  return { url, stop };
}
