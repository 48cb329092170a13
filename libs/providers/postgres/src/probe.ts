import { Problem } from '@mayfly/kernel';
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

/**
 * Looks whether the connection's role could make and end lease roles, and whether the database lets leases make things;
 * changes nothing. Throws `provider_rejected` naming what is wrong. Rights on tables are not looked at: which are
 * needed, only a scope says.
 */
export async function probeRights(session: Session): Promise<void> {
  await refuseMissingRights(session);
  const { rows } = await session.query<{ name: string }>(OPEN_SCHEMAS);
  if (rows.length === 0) return;
  const schemas = rows.map(({ name }) => `\`${name}\``).join(', ');
  throw new Problem(
    'provider_rejected',
    `PUBLIC, and so every lease, may create things in ${schemas}; docs/connect-postgres.md has the SQL`,
  );
}

async function refuseMissingRights(session: Session): Promise<void> {
  const { rows } = await session.query<Record<string, boolean>>(RIGHTS);
  const missing = Object.entries(rows[0] ?? {}).filter(([, granted]) => !granted);
  if (missing.length === 0) return;
  const names = missing.map(([name]) => name).join(', ');
  throw new Problem('provider_rejected', `the connection lacks ${names}; docs/connect-postgres.md has the SQL`);
}
