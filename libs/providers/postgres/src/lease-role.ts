import { escapeIdentifier, escapeLiteral } from 'pg';
import { NOT_ALIVE, TOO_LATE } from './failures.js';

/** What a lease role is made of. */
export interface LeaseRole {
  readonly role: string;
  readonly scopeRole: string;
  readonly verifier: string;
  readonly maxConnections: number;
  readonly expiresAt: Date;
  readonly mintBy: Date;
  readonly serverVersion: number;
}

/**
 * One message, so one transaction: the role comes into being with its membership, or not at all. The look at the clock
 * stands last, so that no wait inside the message (for a lock, for the processor) lets it commit after `mintBy`.
 * VALID UNTIL stops new logins only; sessions that are open then are ended by revocation.
 */
export function createStatement(lease: LeaseRole): string {
  const role = escapeIdentifier(lease.role);
  return [
    lockStatement(lease.role),
    `CREATE ROLE ${role} LOGIN INHERIT CONNECTION LIMIT ${String(lease.maxConnections)}` +
      ` PASSWORD ${escapeLiteral(lease.verifier)} VALID UNTIL ${instant(lease.expiresAt)}`,
    `GRANT ${escapeIdentifier(lease.scopeRole)} TO ${role}${membershipOptions(lease.serverVersion)}`,
    raiseIf(`clock_timestamp() > ${instant(lease.mintBy)}::timestamptz`, TOO_LATE),
  ].join(';\n');
}

/** Moves the expiry of a role that may log in. It never says LOGIN, so it cannot bring a barred role back. */
export function renewStatement(role: string, expiresAt: Date, mintBy: Date): string {
  const alive = `SELECT FROM pg_roles WHERE rolname = ${escapeLiteral(role)} AND rolcanlogin`;
  return [
    lockStatement(role),
    raiseIf(`NOT EXISTS (${alive})`, NOT_ALIVE),
    `ALTER ROLE ${escapeIdentifier(role)} VALID UNTIL ${instant(expiresAt)}`,
    raiseIf(`clock_timestamp() > ${instant(mintBy)}::timestamptz`, TOO_LATE),
  ].join(';\n');
}

/** Holds the name to the end of the transaction: minting, renewing and revoking one role never overlap. */
export function lockStatement(name: string): string {
  return `SELECT pg_advisory_xact_lock(hashtextextended(${escapeLiteral(name)}, 0))`;
}

/** From PostgreSQL 16 on a member may be kept from SET ROLE, so that a session cannot shed its own name. */
function membershipOptions(serverVersion: number): string {
  return serverVersion >= 160_000 ? ' WITH INHERIT TRUE, SET FALSE' : '';
}

function raiseIf(condition: string, sqlState: string): string {
  return `DO $mayfly$ BEGIN IF ${condition} THEN RAISE EXCEPTION USING ERRCODE = '${sqlState}'; END IF; END $mayfly$`;
}

function instant(at: Date): string {
  return escapeLiteral(at.toISOString());
}
