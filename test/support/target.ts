import pg from 'pg';
import { rowsOf } from './rows.js';

/** A session at a target, opened with an agent's credential. */
export interface AgentSession {
  readonly client: pg.Client;
  /** resolves, with `performance.now()`, when the server ends the session */
  readonly ended: Promise<number>;
}

/** Opens a session with an open transaction, as a working agent would have. */
export async function openTransaction(url: string): Promise<AgentSession> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  const ended = new Promise<number>((resolve) =>
    client.once('end', () => {
      resolve(performance.now());
    }),
  );
  await client.connect();
  await client.query('BEGIN');
  await client.query('SELECT 1');
  return { client, ended };
}

/** Returns the names of the lease login roles on the server. */
export async function leaseRoles(url: string): Promise<readonly string[]> {
  const rows = await rowsOf<{ rolname: string }>(
    url,
    `SELECT rolname::text FROM pg_roles WHERE rolname ~ '^mayfly_[0-9a-z]{26}$' AND rolcanlogin ORDER BY 1`,
  );
  return rows.map(({ rolname }) => rolname);
}

/** Blocks the creation, change and drop of roles on the server until the returned function is called. */
export async function holdRoles(url: string): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  for (const statement of ['BEGIN', 'LOCK TABLE pg_authid IN SHARE MODE']) await client.query(statement);
  return () => client.end();
}

/** Returns the instant from which the server refuses logins of the role; undefined without such a role. */
export async function validUntil(url: string, role: string): Promise<Date | undefined> {
  const [row] = await rowsOf<{ until: Date }>(url, 'SELECT rolvaliduntil AS until FROM pg_roles WHERE rolname = $1', [
    role,
  ]);
  return row?.until;
}

/** Returns the login role of a lease. */
export function roleOf(leaseId: string): string {
  return `mayfly_${leaseId.slice('lse_'.length)}`;
}
