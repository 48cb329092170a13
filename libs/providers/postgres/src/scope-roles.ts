import { Problem } from '@mayfly/kernel';
import { escapeIdentifier } from 'pg';
import { INSUFFICIENT_PRIVILEGE, codeOf } from './failures.js';
import { excessOf, heldPrivileges } from './held-privileges.js';
import { differences, repairs, type Privilege } from './scope-privileges.js';
import type { Session } from './session.js';
import type { Target } from './target.js';

/** Bound of the names kept per target; beyond it they are looked up again. */
const MAX_VERIFIED = 10_000;

/**
 * Taken by making this role and given back by dropping it in the same transaction: whoever comes second waits at the
 * server's index of role names. Unlike a key of an advisory lock, which anybody may hold, this is out of an agent's reach.
 */
const LOCK_ROLE = 'mayfly_scope_lock';

const MISSING_TABLE = `
  SELECT schema, name FROM unnest($1::text[], $2::text[]) AS wanted (schema, name)
   WHERE NOT EXISTS (SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
                      WHERE nspname = schema AND relname = name AND relkind IN ('r', 'p', 'v', 'm', 'f'))
   LIMIT 1`;

/**
 * Makes sure that the scope role exists and can do exactly `wanted` to the database, its schemas, tables and sequences:
 * made where it is missing, put right where somebody granted it more or took something away. Grants on other kinds of
 * things, and on things that leases made, are left alone: they give no right on what a scope names, and any lease could
 * make them. Looked at once per target and process, then taken for granted. Throws `provider_rejected` naming a table
 * that does not exist, a right that cannot be passed on, or what somebody else gave the role.
 */
export async function ensureScopeRole(
  target: Target,
  session: Session,
  role: string,
  wanted: readonly Privilege[],
): Promise<void> {
  if (target.verifiedScopes.has(role)) return;
  // looked up without a lock, since it is mostly in order
  if ((await faultsOf(session, role, wanted)).length > 0) await makeOrMend(session, role, wanted);
  if (target.verifiedScopes.size >= MAX_VERIFIED) target.verifiedScopes.clear();
  target.verifiedScopes.add(role);
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
  const cures = (await excessOf(session, role)).flatMap(({ cure }) => (cure === null ? [] : [cure]));
  const statements = [...cures, ...repairs(role, await heldPrivileges(session, role), wanted)];
  for (const statement of statements) await attempt(session, statement);
  const [fault] = await faultsOf(session, role, wanted);
  if (fault !== undefined) throw new Problem('provider_rejected', `${fault} (docs/connect-postgres.md)`);
}

/** One cure that the connection's role may not apply keeps no other from being applied. */
async function attempt(session: Session, statement: string): Promise<void> {
  await session.query('SAVEPOINT cure');
  try {
    await session.query(statement);
  } catch (error) {
    if (codeOf(error) !== INSUFFICIENT_PRIVILEGE) throw error;
    await session.query('ROLLBACK TO cure');
  }
  await session.query('RELEASE cure');
}

/** What is wrong with a scope role, each in a sentence that says what to change. */
async function faultsOf(session: Session, role: string, wanted: readonly Privilege[]): Promise<readonly string[]> {
  const { lacking, surplus } = differences(await heldPrivileges(session, role), wanted);
  const excess = await excessOf(session, role);
  return [
    ...lacking.map((right) => `the role of the connection may not pass on ${right}; grant it that WITH GRANT OPTION`),
    ...[...surplus, ...excess.map(({ words }) => words)].map(
      (right) => `somebody else gave role \`${role}\` ${right}, which is not in its scope; take it away`,
    ),
  ];
}
