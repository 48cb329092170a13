import { Problem } from '@mayfly/kernel';
import { escapeIdentifier } from 'pg';
import { heldPrivileges } from './held-privileges.js';
import { areEqual, repairs, type Privilege } from './scope-privileges.js';
import type { Session, Target } from './target.js';

/** Bound of the names kept per target; beyond it they are looked up again. */
const MAX_VERIFIED = 10_000;

/**
 * Taken by making this role and given back by dropping it in the same transaction: whoever comes second waits at the
 * server's index of role names. Unlike a key of an advisory lock, which anybody may hold, this is out of an agent's reach.
 */
const LOCK_ROLE = 'mayfly_scope_lock';

/** Everything that `heldPrivileges` does not show: attributes, memberships, ownership, rights on other kinds of things or elsewhere. */
const HOLDS_MORE = `
  SELECT rolcanlogin OR rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls
      OR EXISTS (SELECT FROM pg_auth_members WHERE member = role.oid)
      OR EXISTS (SELECT FROM pg_shdepend
                  WHERE refclassid = 'pg_authid'::regclass AND refobjid = role.oid
                    AND NOT (deptype = 'a'
                             AND classid IN ('pg_database'::regclass, 'pg_namespace'::regclass, 'pg_class'::regclass)
                             AND dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())))) AS more
    FROM pg_roles AS role WHERE rolname = $1`;

const MISSING_TABLE = `
  SELECT schema, name FROM unnest($1::text[], $2::text[]) AS wanted (schema, name)
   WHERE NOT EXISTS (SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
                      WHERE nspname = schema AND relname = name AND relkind IN ('r', 'p', 'v', 'm', 'f'))
   LIMIT 1`;

/**
 * Makes sure that the scope role exists and holds exactly `wanted`: made where it is missing, put right where somebody
 * granted it more or took something away. Looked at once per target and process, then taken for granted. Throws
 * `provider_rejected` naming a table that does not exist, or the role when it cannot be put right.
 */
export async function ensureScopeRole(
  target: Target,
  session: Session,
  role: string,
  wanted: readonly Privilege[],
): Promise<void> {
  if (target.verifiedScopes.has(role)) return;
  if (!(await isInOrder(session, role, wanted))) await makeOrMend(session, role, wanted);
  if (target.verifiedScopes.size >= MAX_VERIFIED) target.verifiedScopes.clear();
  target.verifiedScopes.add(role);
}

/** Whether the role exists and holds exactly `wanted`: looked up without a lock, since that is how it mostly is. */
async function isInOrder(session: Session, role: string, wanted: readonly Privilege[]): Promise<boolean> {
  const { rows } = await session.query<{ more: boolean }>(HOLDS_MORE, [role]);
  return rows[0]?.more === false && areEqual(await heldPrivileges(session, role), wanted);
}

async function makeOrMend(session: Session, role: string, wanted: readonly Privilege[]): Promise<void> {
  await session.query('BEGIN');
  // one lock for all scope roles: two grants on one table at a time fail (`tuple concurrently updated`)
  await session.query(`CREATE ROLE ${LOCK_ROLE} NOLOGIN`);
  await refuseMissingTable(session, wanted);
  await createWhereMissing(session, role);
  await putRight(session, role, wanted);
  await session.query(`DROP ROLE ${LOCK_ROLE}`);
  await session.query('COMMIT');
}

async function refuseMissingTable(session: Session, wanted: readonly Privilege[]): Promise<void> {
  const tables = wanted.filter(({ kind }) => kind === 'TABLE');
  const { rows } = await session.query<{ schema: string; name: string }>(MISSING_TABLE, [
    tables.map(({ schema }) => schema),
    tables.map(({ name }) => name),
  ]);
  if (rows[0] !== undefined) {
    const { schema, name } = rows[0];
    throw new Problem('provider_rejected', `the database has no table \`${schema}.${name}\`; change the scope`);
  }
}

async function createWhereMissing(session: Session, role: string): Promise<void> {
  const { rowCount } = await session.query('SELECT FROM pg_roles WHERE rolname = $1', [role]);
  if (rowCount === 0) await session.query(`CREATE ROLE ${escapeIdentifier(role)} NOLOGIN`);
}

/** The grants are read back: PostgreSQL only warns when a grantor may not grant, and others may have granted as well. */
async function putRight(session: Session, role: string, wanted: readonly Privilege[]): Promise<void> {
  const statements = repairs(role, await heldPrivileges(session, role), wanted);
  if (statements.length > 0) await session.query(statements.join(';\n'));
  if (await isInOrder(session, role, wanted)) return;
  throw new Problem(
    'provider_rejected',
    `the rights of \`${role}\` at the database cannot be made to match its scope; docs/connect-postgres.md says why and what to do`,
  );
}
