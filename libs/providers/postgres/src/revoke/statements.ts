import { escapeIdentifier, escapeLiteral } from 'pg';
import { codeOf } from '../failures.js';
import { waitAtMost } from '../lease-role.js';
import { LEASE_ROLES, type FoundRole } from './looks.js';

/** The statement that takes the login away. The password goes too, for poolers that authenticate by what they read. */
export function barStatement({ name, maker }: FoundRole): string {
  return `${workAs(maker)}ALTER ROLE ${escapeIdentifier(name)} NOLOGIN PASSWORD NULL`;
}

export function dropStatement({ name, maker }: FoundRole): string {
  return `${workAs(maker)}DROP ROLE IF EXISTS ${escapeIdentifier(name)}`;
}

/** One message, hence one transaction, that waits at most so long for each lock. */
export function message(milliseconds: number, statements: readonly string[]): string {
  return [waitAtMost(milliseconds), ...statements].join(';\n');
}

/** To the end of the transaction, with the semicolon. */
export function workAs(maker: string | null): string {
  return maker === null ? '' : `SET LOCAL ROLE ${escapeIdentifier(maker)};\n`;
}

/**
 * Ends the sessions of leases that are in the way of a change to the role: its own, and those that hold a reference to it
 * or a change of it which they do not commit.
 */
export function evictStatement({ name, oid }: FoundRole): string {
  return `
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE usename = ${escapeLiteral(name)} OR usename ~ ${LEASE_ROLES} AND pid IN
           (SELECT pid FROM pg_locks WHERE classid = 'pg_authid'::regclass AND objid = ${escapeLiteral(oid)}::oid)`;
}

/** True when the statement worked, false when it failed with one of these SQLSTATEs; any other error is thrown on. */
export async function unlessState(sqlStates: readonly string[], statement: () => Promise<unknown>): Promise<boolean> {
  try {
    await statement();
    return true;
  } catch (error) {
    if (sqlStates.includes(codeOf(error))) return false;
    throw error;
  }
}
