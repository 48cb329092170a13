import { addSeconds } from '@mayfly/kernel';
import { CATALOG_ONLY } from '@mayfly/postgres';
import { escapeIdentifier, escapeLiteral } from 'pg';
import { CLOCK_BEHIND, NO_CAPACITY, NOT_ALIVE, TOO_LATE, UNPINNED } from './failures.js';
import type { ServerFacts } from './server-facts.js';

/** Input of `createStatement`. */
export interface LeaseRole {
  readonly role: string;
  readonly scopeRole: string;
  readonly verifier: string;
  readonly maxConnections: number;
  readonly expiresAt: Date;
  readonly issuedAt: Date;
  readonly mintBy: Date;
  readonly facts: Pick<ServerFacts, 'version' | 'role' | 'creators'>;
  /** the sum of connection limits that leases may hold; set only when this mint must count */
  readonly capacity?: number;
}

/** Tolerance for a database clock that is behind Mayfly's. */
const CLOCK_SLACK_SECONDS = 2;

/** SQL for the sum of the connection limits of all lease roles that may log in. */
export const HANDED_OUT = `(SELECT coalesce(sum(rolconnlimit), 0) FROM pg_roles
  WHERE rolname >= 'mayfly_' AND rolname < 'mayfly\`' AND rolcanlogin AND rolconnlimit > 0)`;

/**
 * Chooses the creator of a lease role: always the same one for the same creators, undefined when there are none.
 * Creators share the work, because the server's cost for each change of a role grows with the roles that its creator
 * has made.
 */
export function creatorOf(role: string, creators: readonly string[]): string | undefined {
  const sum = Buffer.from(role).reduce((total, byte) => (total * 31 + byte) % 1_000_003, 0);
  return creators[sum % Math.max(creators.length, 1)];
}

/**
 * Returns one message, so one transaction: it creates the role with its membership, or nothing. The clock check comes
 * last, so that no wait inside the message (for a lock or for the processor) lets it commit after `mintBy`. A clock
 * that is behind `issuedAt` cannot prove that, so the message fails. The server's unique index on role names lets only
 * one of two mints of one name succeed. VALID UNTIL stops new logins only; revocation ends the open sessions.
 */
export function createStatement(lease: LeaseRole): string {
  const role = escapeIdentifier(lease.role);
  const maker = creatorOf(lease.role, lease.facts.creators);
  return [
    RAISE_UNLESS_PINNED,
    ...(maker === undefined ? [] : [`SET LOCAL ROLE ${escapeIdentifier(maker)}`]),
    `CREATE ROLE ${role} LOGIN INHERIT CONNECTION LIMIT ${String(lease.maxConnections)}` +
      ` PASSWORD ${escapeLiteral(lease.verifier)} VALID UNTIL ${instant(lease.expiresAt)}`,
    ...(maker === undefined ? [] : [`SET LOCAL ROLE ${escapeIdentifier(lease.facts.role)}`]),
    `GRANT ${escapeIdentifier(lease.scopeRole)} TO ${role}${membershipOptions(lease.facts.version)}`,
    ...(lease.capacity === undefined ? [] : [raiseIf([`${HANDED_OUT} > ${String(lease.capacity)}`, NO_CAPACITY])]),
    raiseIf(
      [`clock_timestamp() < ${instant(addSeconds(lease.issuedAt, -CLOCK_SLACK_SECONDS))}::timestamptz`, CLOCK_BEHIND],
      [`clock_timestamp() > ${instant(lease.mintBy)}::timestamptz`, TOO_LATE],
    ),
  ].join(';\n');
}

/**
 * Returns the message that moves the expiry of a role that may log in. It never says LOGIN, so it cannot re-enable a
 * barred role. An agent that changes its role without committing delays only its own renewal, by at most 1 s for each
 * lock.
 */
export function renewStatement(role: string, expiresAt: Date, mintBy: Date, maker: string | undefined): string {
  const alive = `SELECT FROM pg_roles WHERE rolname = ${escapeLiteral(role)} AND rolcanlogin`;
  return [
    RAISE_UNLESS_PINNED,
    waitAtMost(1_000),
    raiseIf([`NOT EXISTS (${alive})`, NOT_ALIVE]),
    ...(maker === undefined ? [] : [`SET LOCAL ROLE ${escapeIdentifier(maker)}`]),
    `ALTER ROLE ${escapeIdentifier(role)} VALID UNTIL ${instant(expiresAt)}`,
    raiseIf([`clock_timestamp() > ${instant(mintBy)}::timestamptz`, TOO_LATE]),
  ].join(';\n');
}

/** Returns the statement that bounds each lock wait until the end of the transaction. */
export function waitAtMost(milliseconds: number): string {
  return `SET LOCAL lock_timeout = ${String(milliseconds)}`;
}

/** Forbids SET ROLE to the member (PostgreSQL 16 and newer), so that a session cannot hide its own name. */
function membershipOptions(serverVersion: number): string {
  return serverVersion >= 160_000 ? ' WITH INHERIT TRUE, SET FALSE' : '';
}

/** Uses one DO block for all conditions, because each block costs the server about as much as a small statement. */
function raiseIf(...conditions: readonly (readonly [condition: string, sqlState: string])[]): string {
  const raising = conditions.map(
    ([condition, sqlState]) => `IF ${condition} THEN RAISE EXCEPTION USING ERRCODE = '${sqlState}'; END IF;`,
  );
  return `DO $mayfly$ BEGIN ${raising.join(' ')} END $mayfly$`;
}

/**
 * The first statement of a message: fails when `search_path` is not the catalog alone, because a pooler may have handed
 * the session to another client. It qualifies every name, since it cannot rely on the path that it checks.
 */
const RAISE_UNLESS_PINNED = raiseIf([
  `pg_catalog.replace(pg_catalog.current_setting('search_path'), ' ', '') OPERATOR(pg_catalog.<>) '${CATALOG_ONLY}'`,
  UNPINNED,
]);

function instant(at: Date): string {
  return escapeLiteral(at.toISOString());
}
