import { randomUUID } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '@mayfly/embedded';
import { rowsOf } from './rows.js';

/** A PostgreSQL server that one spec may stop and start; its address stays the same. */
export interface OwnPostgres {
  readonly server: EmbeddedPostgres;
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Freezes the server and every session, as a hung machine does. Call the returned function to thaw it. */
  freeze(): Promise<() => void>;
  /** Stops the server and removes its data. */
  remove(): Promise<void>;
}

export async function startOwnPostgres(): Promise<OwnPostgres> {
  const dataDir = join(tmpdir(), `mayfly-own-${randomUUID()}`);
  let running: EmbeddedPostgres | undefined = await startEmbeddedPostgres({ dataDir });
  const server = running;
  const stop = async (): Promise<void> => {
    await running?.stop();
    running = undefined;
  };
  return {
    server,
    stop,
    start: async () => {
      running = await startEmbeddedPostgres({ dataDir });
    },
    freeze: () => freeze(server.url('postgres', 'postgres'), dataDir),
    remove: async () => {
      await stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function freeze(url: string, dataDir: string): Promise<() => void> {
  const postmaster = Number.parseInt(readFileSync(join(dataDir, 'postgres', 'data', 'postmaster.pid'), 'utf8'), 10);
  const sessions = await rowsOf<{ pid: number }>(
    url,
    `SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`,
  );
  // Freezes the postmaster too: otherwise it would start new sessions that are not frozen.
  const frozen = [postmaster, ...sessions.map(({ pid }) => pid)];
  for (const pid of frozen) process.kill(pid, 'SIGSTOP');
  return () => {
    for (const pid of frozen.splice(0)) process.kill(pid, 'SIGCONT');
  };
}
