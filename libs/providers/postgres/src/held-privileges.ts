import type { QueryResultRow } from 'pg';
import type { Privilege } from './scope-privileges.js';
import type { Session } from './target.js';

const HELD = `
  SELECT kind, schema, name, acl.privilege_type || CASE WHEN acl.is_grantable THEN '*' ELSE '' END || part AS privilege
    FROM (SELECT 'DATABASE' AS kind, NULL AS schema, datname::text AS name, '' AS part, datacl AS granted FROM pg_database
          UNION ALL SELECT 'SCHEMA', NULL, nspname, '', nspacl FROM pg_namespace
          UNION ALL SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, nspname, relname, '', relacl
            FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
          UNION ALL SELECT 'TABLE', nspname, relname, ' (' || attname || ')', attacl
            FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
         ) AS object, aclexplode(granted) AS acl
   WHERE acl.grantee = (SELECT oid FROM pg_roles WHERE rolname = $1)`;

/** What was granted to the role by name on databases, and on the schemas, tables, columns and sequences of this one. */
export async function heldPrivileges(session: Session, role: string): Promise<readonly Privilege[]> {
  const { rows } = await session.query<Privilege & QueryResultRow>(HELD, [role]);
  return rows;
}
