import { escapeIdentifier, escapeLiteral } from 'pg';
import { codeOf } from '../failures.js';
import { waitAtMost } from '../lease-role.js';
import { LEASE_ROLES, type FoundRole } from './looks.js';

/**
 * Returns the statement that bars new logins. It clears the password too, for poolers that authenticate by the stored
 * verifier.
 */
export function barStatement({ name, maker }: FoundRole): string {
  return `${workAs(maker)}ALTER ROLE ${escapeIdentifier(name)} NOLOGIN PASSWORD NULL`;
}

export function dropStatement({ name, maker }: FoundRole): string {
  return `${workAs(maker)}DROP ROLE IF EXISTS ${escapeIdentifier(name)}`;
}

/** Returns one message, hence one transaction, that waits at most this long for each lock. */
export function message(milliseconds: number, statements: readonly string[]): string {
  return [waitAtMost(milliseconds), ...statements].join(';\n');
}

/**
 * Returns the statement that sets the role until the end of the transaction, with the semicolon; empty without a maker.
 */
export function workAs(maker: string | null): string {
  return maker === null ? '' : `SET LOCAL ROLE ${escapeIdentifier(maker)};\n`;
}

/**
 * Returns the statement that ends the sessions of leases that block a change to the role: its own sessions, and those
 * that hold an uncommitted reference to it or change of it.
 */
export function evictStatement({ name, oid }: FoundRole): string {
  return `
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
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
