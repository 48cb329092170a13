import { escapeIdentifier, escapeLiteral } from 'pg';
import { codeOf } from '../failures.js';
import { grouped, waitAtMost } from '../lease-role.js';
import { callForLeases, callForRole } from '../owner-functions.js';
import { LEASE_ROLES, SESSIONS, type FoundRole } from './looks.js';

/**
 * Returns the statements that bar new logins. They clear the password too, for poolers that authenticate by the stored
 * verifier.
 */
export function barStatements(roles: readonly FoundRole[]): readonly string[] {
  return forEach(roles, 'bar_leases', (name) => `ALTER ROLE ${name} NOLOGIN PASSWORD NULL`);
}

/** Returns the statements that drop the roles. */
export function dropStatements(roles: readonly FoundRole[]): readonly string[] {
  return forEach(roles, 'drop_leases', (name) => `DROP ROLE IF EXISTS ${name}`);
}

/** Returns the statements that wait for a mint of the role, by creating and dropping it. */
export function probeStatements(role: FoundRole): readonly string[] {
  if (role.byFunctions) return [workAs(role.maker), callForRole('await_mint', role.name)];
  return [workAs(role.maker), `CREATE ROLE ${escapeIdentifier(role.name)} NOLOGIN`, ...dropStatements([role])];
}

/** Returns the statements that make `member` a member of the lease role, with its rights. */
export function joinStatements(role: FoundRole, member: string, serverVersion: number): readonly string[] {
  if (role.byFunctions) return [workAs(role.maker), callForRole('join_lease', role.name)];
  const options = serverVersion >= 160_000 ? ' WITH INHERIT TRUE, SET TRUE' : '';
  return [workAs(role.maker), `GRANT ${escapeIdentifier(role.name)} TO ${escapeIdentifier(member)}${options}`];
}

/**
 * Returns the messages that take the scope role away from the lease role, each to be tried. Only the role that granted
 * it can revoke it (PostgreSQL 16 and newer): the role of the connection, or the creator.
 */
export function stripStatements(role: FoundRole, scopeRole: string | undefined): readonly string[] {
  if (role.byFunctions) return [callForRole('strip_lease', role.name)];
  if (scopeRole === undefined) return [];
  const revoke = `REVOKE ${escapeIdentifier(scopeRole)} FROM ${escapeIdentifier(role.name)}`;
  return [revoke, `${workAs(role.maker)};\n${revoke}`];
}

/**
 * Takes each maker once, because each SET ROLE makes the server read all roles of all creators again. The functions of
 * the target's owner take all their roles in one call.
 */
function forEach(
  roles: readonly FoundRole[],
  call: 'bar_leases' | 'drop_leases',
  statement: (name: string) => string,
): readonly string[] {
  return [...grouped(roles, ({ maker, byFunctions }) => JSON.stringify([byFunctions, maker]))].flatMap(([, same]) => {
    const [first] = same;
    const names = same.map(({ name }) => name);
    const changes =
      first?.byFunctions === true ? [callForLeases(call, names)] : names.map(escapeIdentifier).map(statement);
    return [workAs(first?.maker ?? null), ...changes];
  });
}

/** Returns one message, hence one transaction, that waits at most this long for each lock. */
export function message(milliseconds: number, statements: readonly string[]): string {
  return [waitAtMost(milliseconds), ...statements].join(';\n');
}

/** Returns the statement that sets the role until the end of the transaction; empty without a maker. */
function workAs(maker: string | null): string {
  return maker === null ? '' : `SET LOCAL ROLE ${escapeIdentifier(maker)}`;
}

/**
 * Returns the statement that ends the sessions of leases that block a change to the role: its own sessions, and those
 * that hold an uncommitted reference to it or change of it.
 */
export function evictStatement({ name, oid }: FoundRole): string {
  return `
    SELECT pg_terminate_backend(pid) FROM ${SESSIONS}
     WHERE usename = ${escapeLiteral(name)} OR usename ~ ${LEASE_ROLES} AND pid IN
           (SELECT pid FROM pg_locks WHERE classid = 'pg_authid'::regclass AND objid = ${escapeLiteral(oid)}::oid)`;
}

/**
 * Returns true when the statement worked, and false when it failed with one of these SQLSTATEs. Throws any other error.
 */
export async function unlessState(sqlStates: readonly string[], statement: () => Promise<unknown>): Promise<boolean> {
  try {
    await statement();
    return true;
  } catch (error) {
    if (sqlStates.includes(codeOf(error))) return false;
    throw error;
  }
}
