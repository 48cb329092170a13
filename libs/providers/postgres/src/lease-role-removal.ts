import { setTimeout as pause } from 'node:timers/promises';
import type { RevocationOutcome } from '@mayfly/credentials';
import { escapeIdentifier, escapeLiteral } from 'pg';
import {
  codeOf,
  DEPENDENT_OBJECTS,
  IN_THE_WAY,
  INSUFFICIENT_PRIVILEGE,
  NAME_TAKEN,
  UNDEFINED_OBJECT,
} from './failures.js';
import { waitAtMost } from './lease-role.js';
import type { PostgresHandle } from './postgres.schemas.js';
import type { Session } from './target.js';

const LOOK_INTERVAL_MS = 5;
/** How long a statement waits before who is in its way is disconnected. */
const PATIENCE_MS = 250;
/** A person has to clean up first; there is no use in asking every second. */
const LEFTOVER_RETRY_SECONDS = 300;

/**
 * Ends one lease role, in an order that leaves no gap: bar new logins (committed), end its sessions until none is left,
 * only then remove membership and role, then look. A session that outlived its membership could go on reading
 * by an earlier SET ROLE. Waits for a mint of the same role that is under way, and for nothing that an agent can hold.
 * `already_gone` proves that the role does not exist now; a mint that is still travelling can make it until its `mintBy`.
 */
export async function removeLeaseRole(
  session: Session,
  handle: PostgresHandle,
  serverVersion: number,
): Promise<RevocationOutcome> {
  const oid = await bar(session, handle.role);
  if (oid === undefined) return { kind: 'already_gone' };
  await endSessions(session, oid, 2);
  if (!(await drop(session, handle.role))) await dropWithBelongings(session, handle.role, serverVersion);
  if (await exists(session, handle.role)) return leftover(session, handle, oid);
  // a login that was past its check when the role was barred shows up late, by then with no rights at all
  await endSessions(session, oid, 1);
  return { kind: 'revoked' };
}

/** Takes LOGIN away and commits. Gives the role's oid, or undefined when there is no such role and none under way. */
async function bar(session: Session, role: string): Promise<string | undefined> {
  const statement = `ALTER ROLE ${escapeIdentifier(role)} NOLOGIN`;
  while (!(await unlessState([UNDEFINED_OBJECT], () => insist(session, role, statement)))) {
    if (await isFree(session, role)) return undefined;
  }
  const { rows } = await session.query<{ oid: string }>('SELECT oid::text FROM pg_roles WHERE rolname = $1', [role]);
  return rows[0]?.oid;
}

/** Whether a role of this name could be made: a mint under way is waited for, at the server's index of role names. */
function isFree(session: Session, role: string): Promise<boolean> {
  const name = escapeIdentifier(role);
  return unlessState(NAME_TAKEN, () => session.query(`CREATE ROLE ${name} NOLOGIN;\nDROP ROLE ${name}`));
}

/**
 * Does a statement on the role that agents can be in the way of, by a change to their own role or a grant to this one
 * that they do not commit: such sessions are ended in the same message, so that the statement is next in the queue.
 * Tried until it works; the caller's signal is the bound.
 */
async function insist(session: Session, role: string, statement: string): Promise<void> {
  const quickly = `${waitAtMost(PATIENCE_MS)};\n`;
  if (await unlessState(IN_THE_WAY, () => session.query(quickly + statement))) return;
  const name = escapeLiteral(role);
  const evict = `
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE usename = ${name} OR usename ~ '^mayfly_[0-9a-z]{26}$' AND pid IN
           (SELECT pid FROM pg_locks WHERE classid = 'pg_authid'::regclass
               AND objid = (SELECT oid FROM pg_roles WHERE rolname = ${name}))`;
  while (!(await unlessState(IN_THE_WAY, () => session.query(`${quickly}${evict};\n${statement}`)))) {
    await pause(LOOK_INTERVAL_MS);
  }
}

/** Ends the role's sessions, in every database, until `looks` in a row find none. The caller's signal is the bound. */
async function endSessions(session: Session, oid: string, looks: number): Promise<void> {
  let emptyLooks = 0;
  while (emptyLooks < looks) {
    const { rowCount } = await session.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usesysid = $1::oid',
      [oid],
    );
    emptyLooks = rowCount === 0 ? emptyLooks + 1 : 0;
    if (emptyLooks < looks) await pause(LOOK_INTERVAL_MS);
  }
}

/** Drops the role with its membership. False when something still belongs to it. */
function drop(session: Session, role: string): Promise<boolean> {
  const statement = `DROP ROLE IF EXISTS ${escapeIdentifier(role)}`;
  return unlessState([DEPENDENT_OBJECTS], () => insist(session, role, statement));
}

/**
 * What the agent made in this database goes with its role, as do rights that somebody gave the role besides, as far as
 * the connection's role may take them back (DROP OWNED works with the rights of who calls it).
 */
async function dropWithBelongings(session: Session, role: string, serverVersion: number): Promise<void> {
  const name = escapeIdentifier(role);
  const inherit = serverVersion >= 160_000 ? ' WITH INHERIT TRUE' : '';
  const statement = `${waitAtMost(PATIENCE_MS)};\nGRANT ${name} TO CURRENT_USER${inherit};\nDROP OWNED BY ${name}`;
  if (await unlessState([DEPENDENT_OBJECTS, INSUFFICIENT_PRIVILEGE], () => session.query(statement))) {
    await drop(session, role);
  }
}

/** The role could not be dropped: its access has ended all the same, and the outcome names what holds it. */
async function leftover(
  session: Session,
  { role, scopeRole }: PostgresHandle,
  oid: string,
): Promise<RevocationOutcome> {
  await unlessState([UNDEFINED_OBJECT], () =>
    session.query(`REVOKE ${escapeIdentifier(scopeRole)} FROM ${escapeIdentifier(role)}`),
  );
  const { rows } = await session.query<{ database: string }>(
    `SELECT DISTINCT coalesce(datname, 'the whole server') AS database
       FROM pg_shdepend LEFT JOIN pg_database ON pg_database.oid = dbid
      WHERE refclassid = 'pg_authid'::regclass AND refobjid = $1::oid`,
    [oid],
  );
  const places = rows.map(({ database }) => `\`${database}\``).join(', ');
  const detail = `access has ended, but role \`${role}\` remains: things belong to it in ${places}`;
  return { kind: 'unknown', detail, retryAfterSeconds: LEFTOVER_RETRY_SECONDS };
}

async function exists(session: Session, role: string): Promise<boolean> {
  const { rowCount } = await session.query('SELECT FROM pg_roles WHERE rolname = $1', [role]);
  return rowCount !== 0;
}

/** True when the statement worked, false when it failed with one of these SQLSTATEs; any other error is thrown on. */
async function unlessState(sqlStates: readonly string[], statement: () => Promise<unknown>): Promise<boolean> {
  try {
    await statement();
    return true;
  } catch (error) {
    if (sqlStates.includes(codeOf(error))) return false;
    throw error;
  }
}
