import type { QueryResultRow } from 'pg';
import type { Privilege } from './scope-privileges.js';
import type { Session } from './session.js';

/**
 * Skips objects that lease roles or scope roles own: their owner may grant them to anybody, and such a grant gives no
 * right on anything else.
 */
const HELD = `
  SELECT kind, schema, name, acl.privilege_type || CASE WHEN acl.is_grantable THEN '*' ELSE '' END || part AS privilege
    FROM (SELECT 'DATABASE' AS kind, NULL AS schema, datname::text AS name, '' AS part, datacl AS granted, datdba AS owner
            FROM pg_database
          UNION ALL SELECT 'SCHEMA', NULL, nspname, '', nspacl, nspowner FROM pg_namespace
          UNION ALL SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, nspname, relname, '', relacl, relowner
            FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
          UNION ALL SELECT 'TABLE', nspname, relname, ' (' || attname || ')', attacl, relowner
            FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
         ) AS object, aclexplode(granted) AS acl
   WHERE acl.grantee = (SELECT oid FROM pg_roles WHERE rolname = $1)
     AND NOT EXISTS (SELECT FROM pg_roles AS role WHERE role.oid = object.owner
                        AND role.rolname ~ '^mayfly_([0-9a-z]{26}|scope_[0-9a-f]{40})$')`;

/**
 * Returns the privileges granted to the role itself on databases, and on the schemas, tables, columns and sequences of
 * the current database.
 */
export async function heldPrivileges(session: Session, role: string): Promise<readonly Privilege[]> {
  const { rows } = await session.query<Privilege & QueryResultRow>(HELD, [role]);
  return rows;
}

/** An attribute, a membership or an owned object of a role, in words, with the SQL that removes it. */
export interface Excess {
  readonly words: string;
  /** the SQL that removes it; null for ownership */
  readonly cure: string | null;
}

/**
 * Skips relations in schemas where PUBLIC may create, before PostgreSQL 16: there a lease can work as its scope role
 * and create relations that belong to it, which give no right on anything else.
 */
const EXCESS = `
  SELECT 'the attribute ' || attribute AS words, format('ALTER ROLE %I NO%s', rolname, attribute) AS cure
    FROM pg_roles, LATERAL (VALUES ('LOGIN', rolcanlogin), ('SUPERUSER', rolsuper), ('CREATEROLE', rolcreaterole),
           ('CREATEDB', rolcreatedb), ('REPLICATION', rolreplication), ('BYPASSRLS', rolbypassrls)) AS has (attribute, given)
   WHERE rolname = $1 AND given
  UNION ALL
  SELECT format('membership in %I', granted.rolname), format('REVOKE %I FROM %I', granted.rolname, $1::text)
    FROM pg_auth_members JOIN pg_roles AS granted ON granted.oid = roleid
   WHERE member = (SELECT oid FROM pg_roles WHERE rolname = $1)
  UNION ALL
  SELECT format('ownership of %s', pg_describe_object(classid, objid, objsubid)), NULL
    FROM pg_shdepend
   WHERE refclassid = 'pg_authid'::regclass AND refobjid = (SELECT oid FROM pg_roles WHERE rolname = $1) AND deptype = 'o'
     AND classid IN ('pg_database'::regclass, 'pg_namespace'::regclass, 'pg_class'::regclass)
     AND dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
     AND NOT (current_setting('server_version_num')::int < 160000 AND classid = 'pg_class'::regclass AND EXISTS (
           SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace, aclexplode(nspacl) AS acl
            WHERE pg_class.oid = objid AND acl.grantee = 0 AND acl.privilege_type = 'CREATE'))`;

/** Returns the excess of a role; empty when the role does not exist. */
export async function excessOf(session: Session, role: string): Promise<readonly Excess[]> {
  return (await session.query<Excess & QueryResultRow>(EXCESS, [role])).rows;
}
