import { Problem } from '@mayfly/kernel';
import { escapeIdentifier } from 'pg';
import { INSUFFICIENT_PRIVILEGE, codeOf } from './failures.js';
import { excessOf, heldPrivileges } from './held-privileges.js';
import { differences, repairs, type Privilege } from './scope-privileges.js';
import { callForRole } from './owner-functions.js';
import { makersIn, type ServerFacts } from './server-facts.js';
import type { Session } from './session.js';

/** Maximum number of verified scope roles; beyond it, all are verified again. */
const MAX_VERIFIED = 10_000;

/**
 * A lock: creating this role takes it, and dropping it in the same transaction releases it. A second creator waits at
 * the server's unique index on role names. An agent cannot hold it, unlike an advisory lock.
 */
const LOCK_ROLE = 'mayfly_scope_lock';

const MISSING_TABLE = `
  SELECT schema, name FROM unnest($1::text[], $2::text[]) AS wanted (schema, name)
   WHERE NOT EXISTS (SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
                      WHERE nspname = schema AND relname = name AND relkind IN ('r', 'p', 'v', 'm', 'f'))
   LIMIT 1`;

/**
 * Ensures that the scope role exists and has exactly the privileges `wanted` on the database, its schemas, tables and
 * sequences: creates it when it is missing, and repairs it when its grants have changed. Ignores grants on other kinds
 * of objects and on objects that leases made: they give no right on what a scope names, and any lease could make them.
 * Adds the role to `verified`. Throws `provider_rejected`, which names a table that does not exist, a right that
 * cannot be granted, or a right that somebody else gave the role.
 */
export async function ensureScopeRole(
  verified: Set<string>,
  session: Session,
  role: string,
  wanted: readonly Privilege[],
  facts: ServerFacts,
): Promise<void> {
  if (verified.has(role)) return;
  // checked without the lock, since the role is mostly in order
  if ((await faultsOf(session, role, wanted, facts)).length > 0) await makeOrMend(session, role, wanted, facts);
  if (verified.size >= MAX_VERIFIED) verified.clear();
  verified.add(role);
}

async function makeOrMend(
  session: Session,
  role: string,
  wanted: readonly Privilege[],
  facts: ServerFacts,
): Promise<void> {
  await session.query('BEGIN');
  // one lock for all scope roles: concurrent grants on one table fail (`tuple concurrently updated`)
  await session.query(facts.functions ? callForRole('make_scope', role) : `CREATE ROLE ${LOCK_ROLE} NOLOGIN`);
  await refuseMissingTable(session, wanted);
  if (!facts.functions) await createWhereMissing(session, role, facts);
  await putRight(session, role, wanted, facts);
  if (!facts.functions) await session.query(`DROP ROLE ${LOCK_ROLE}`);
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

/** Creates the role if it is missing, and lets the creators make lease roles members of it. */
async function createWhereMissing(session: Session, role: string, { creators }: ServerFacts): Promise<void> {
  const name = escapeIdentifier(role);
  const { rowCount } = await session.query('SELECT FROM pg_roles WHERE rolname = $1', [role]);
  if (rowCount === 0) await session.query(`CREATE ROLE ${name} NOLOGIN`);
  if (creators.length === 0) return;
  const members = creators.map((creator) => escapeIdentifier(creator)).join(', ');
  await attempt(session, `GRANT ${name} TO ${members} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE`);
}

/**
 * Repairs the role and reads its grants back: PostgreSQL only warns when a grantor may not grant, and others may have
 * granted more.
 */
async function putRight(
  session: Session,
  role: string,
  wanted: readonly Privilege[],
  facts: ServerFacts,
): Promise<void> {
  const cures = (await excessOf(session, role)).flatMap(({ cure }) => (cure === null ? [] : [cure]));
  const statements = [...cures, ...repairs(role, await heldPrivileges(session, role), wanted)];
  for (const statement of statements) await attempt(session, statement);
  const [fault] = await faultsOf(session, role, wanted, facts);
  if (fault !== undefined) throw new Problem('provider_rejected', `${fault} (docs/connect-postgres.md)`);
}

/** Applies one repair. Ignores a missing right, so that the other repairs are still applied. */
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

/** Returns the faults of a scope role, one sentence each that says what to change. */
async function faultsOf(
  session: Session,
  role: string,
  wanted: readonly Privilege[],
  facts: ServerFacts,
): Promise<readonly string[]> {
  const { lacking, surplus } = differences(await heldPrivileges(session, role), wanted);
  const excess = await excessOf(session, role);
  const isOurs = facts.version < 160_000 || (await maySetMembers(session, role, facts));
  return [
    ...(isOurs ? [] : [`role \`${role}\` was made by somebody else; drop it`]),
    ...lacking.map((right) => `the role of the connection cannot grant ${right}; grant it that WITH GRANT OPTION`),
    ...[...surplus, ...excess.map(({ words }) => words)].map(
      (right) => `role \`${role}\` has ${right}, which Mayfly did not grant and its scope does not have; revoke it`,
    ),
  ];
}

/**
 * True when the connection and its creators may make roles members of this scope role, or no such role exists. Somebody
 * else's role of that name could have members that should not get the privileges of the scope. Needs PostgreSQL 16.
 */
async function maySetMembers(session: Session, role: string, facts: ServerFacts): Promise<boolean> {
  const needed = facts.isSuperuser ? facts.creators : makersIn(facts);
  const admins = `(SELECT count(*) FROM pg_auth_members AS held JOIN pg_roles AS admin ON admin.oid = held.member
     WHERE held.roleid = to_regrole($1) AND held.admin_option AND admin.rolname = ANY($2))`;
  const isOurs = facts.functions ? 'mayfly.has_scope($1)' : `${admins} >= cardinality($2)`;
  const { rows } = await session.query<{ own: boolean }>(
    `SELECT to_regrole($1) IS NULL OR ${isOurs} AS own`,
    facts.functions ? [role] : [role, [...needed]],
  );
  return rows[0]?.own === true;
}
