import pg from 'pg';
import { rowsOf } from './rows.js';

/** A session at a target, opened with what an agent was given. */
export interface AgentSession {
  readonly client: pg.Client;
  /** resolves, with `performance.now()`, when the server ends the session */
  readonly ended: Promise<number>;
}

/** In a transaction, as an agent that is in the middle of something. */
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

/** The login roles of leases that exist on the server, by name. */
export async function leaseRoles(url: string): Promise<readonly string[]> {
  const rows = await rowsOf<{ rolname: string }>(
    url,
    `SELECT rolname::text FROM pg_roles WHERE rolname ~ '^mayfly_[0-9a-z]{26}$' AND rolcanlogin ORDER BY 1`,
  );
  return rows.map(({ rolname }) => rolname);
}

/** Until the function that is answered is called, no role on the server can be made, changed or dropped. */
export async function holdRoles(url: string): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  for (const statement of ['BEGIN', 'LOCK TABLE pg_authid IN SHARE MODE']) await client.query(statement);
  return () => client.end();
}

/** When the server itself stops accepting logins of the role; undefined when there is no such role. */
export async function validUntil(url: string, role: string): Promise<Date | undefined> {
  const [row] = await rowsOf<{ until: Date }>(url, 'SELECT rolvaliduntil AS until FROM pg_roles WHERE rolname = $1', [
    role,
  ]);
  return row?.until;
}

/** The role of a lease's login. */
export function roleOf(leaseId: string): string {
  return `mayfly_${leaseId.slice('lse_'.length)}`;
}
