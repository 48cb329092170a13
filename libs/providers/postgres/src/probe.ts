import type { ProbeCheck } from '@mayfly/credentials';
import type { Clock } from '@mayfly/kernel';
import type { Session } from './target.js';

const RIGHTS = `
  SELECT current_setting('server_version_num')::int >= 140000 AS "PostgreSQL 14 or newer",
         rolsuper OR rolcreaterole AS "CREATEROLE",
         rolsuper OR pg_has_role(current_user, 'pg_signal_backend', 'USAGE') AS "pg_signal_backend",
         has_database_privilege(current_database(), 'CONNECT WITH GRANT OPTION') AS "CONNECT WITH GRANT OPTION"
    FROM pg_roles WHERE rolname = current_user`;

/** A lease is one of PUBLIC: where it may make functions, it can have others run them. */
const OPEN_SCHEMAS = `
  SELECT nspname AS name FROM pg_namespace, aclexplode(nspacl) AS acl
   WHERE acl.grantee = 0 AND acl.privilege_type = 'CREATE' ORDER BY 1`;

const CLOCK = 'SELECT extract(epoch FROM clock_timestamp())::float AS seconds';

/**
 * Looks whether the connection's role could make and end lease roles, and whether the database lets leases make things;
 * changes nothing. Rights on tables are not looked at: which are needed, only a scope says.
 */
export async function probeRights(session: Session): Promise<readonly ProbeCheck[]> {
  const { rows } = await session.query<Record<string, boolean>>(RIGHTS);
  const rights = Object.entries(rows[0] ?? {}).map(([name, granted]): ProbeCheck =>
    granted
      ? { name, outcome: 'ok' }
      : { name, outcome: 'missing', detail: 'docs/connect-postgres.md has the SQL that grants it' },
  );
  return [...rights, await closedToPublic(session)];
}

/** The server's clock minus ours, in seconds; half of the way there and back counts for each direction. */
export async function clockOffset(session: Session, clock: Clock): Promise<number> {
  const before = clock.now().getTime();
  const { rows } = await session.query<{ seconds: number }>(CLOCK);
  const halfway = (before + clock.now().getTime()) / 2000;
  return Math.round(((rows[0]?.seconds ?? halfway) - halfway) * 1000) / 1000;
}

async function closedToPublic(session: Session): Promise<ProbeCheck> {
  const name = 'no schema in which PUBLIC may create';
  const { rows } = await session.query<{ name: string }>(OPEN_SCHEMAS);
  if (rows.length === 0) return { name, outcome: 'ok' };
  const schemas = rows.map((schema) => `\`${schema.name}\``).join(', ');
  const detail = `PUBLIC, and so every lease, may create things in ${schemas}; docs/connect-postgres.md has the SQL`;
  return { name, outcome: 'missing', detail };
}
