import type { Client } from 'pg';
import { Problem } from '@mayfly/kernel';
import { problemFrom, SHARED_SESSIONS } from './failures.js';
import type { Session } from './session.js';
import type { DatabaseTarget } from './target.js';

/** `none`: no pooler. `session`: a pooler keeps each session at one server process. `shared`: a pooler does not. */
export type Pooling = 'none' | 'session' | 'shared';

const ROUNDS = 3;

/** True when the process number from the login differs from the server's: a pooler sends a number of its own. */
function isPooled(session: Session, process: number): boolean {
  // node-postgres reads `processID` from the message BackendKeyData; its types leave it out
  return (session as Partial<{ processID: number }>).processID !== process;
}

/**
 * Detects a pooler, and whether it gives one server process to several sessions: then two open sessions report the same
 * process, or one of them reports another process than before. Throws as `DatabaseTarget.connect` does.
 */
export async function poolingOf(
  target: Pick<DatabaseTarget, 'connect'>,
  { session, process }: { readonly session: Session; readonly process: number },
  signal: AbortSignal,
): Promise<Pooling> {
  if (!isPooled(session, process)) return 'none';
  const clients: Client[] = [];
  try {
    clients.push(await target.connect(signal));
    clients.push(await target.connect(signal));
    return (await areShared(clients)) ? 'shared' : 'session';
  } finally {
    for (const client of clients) void client.end().catch(() => undefined);
  }
}

/** Throws `provider_rejected` with `nothingMinted` when a pooler shares sessions. */
export async function refuseSharedSessions(
  target: Pick<DatabaseTarget, 'connect'>,
  opened: { readonly session: Session; readonly process: number },
  signal: AbortSignal,
): Promise<void> {
  let pooling: Pooling;
  try {
    pooling = await poolingOf(target, opened, signal);
  } catch (error) {
    throw problemFrom(error);
  }
  if (pooling === 'shared') throw new Problem('provider_rejected', SHARED_SESSIONS, { nothingMinted: true });
}

/**
 * Queries each client twice in a row. The second query detects a pooler that hands out processes in turn; the first,
 * after the other client's, detects a pooler that hands out the process returned last.
 */
async function areShared(clients: readonly Client[]): Promise<boolean> {
  const homes = clients.map((client) => ({ client, processes: new Set<number>() }));
  for (let round = 0; round < ROUNDS; round++) {
    for (const { client, processes } of homes) {
      for (let look = 0; look < 2; look++) processes.add(await processOf(client));
    }
    const all = homes.flatMap(({ processes }) => [...processes]);
    if (all.length > clients.length || new Set(all).size < all.length) return true;
  }
  return false;
}

async function processOf(client: Client): Promise<number> {
  const { rows } = await client.query<{ process: number }>('SELECT pg_catalog.pg_backend_pid() AS process');
  return Number(rows[0]?.process);
}
