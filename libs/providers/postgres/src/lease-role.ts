import { addSeconds } from '@mayfly/kernel';
import { CATALOG_ONLY } from '@mayfly/postgres';
import { escapeIdentifier, escapeLiteral } from 'pg';
import { CLOCK_BEHIND, NO_CAPACITY, NOT_ALIVE, TOO_LATE, UNPINNED } from './failures.js';
import type { ServerFacts } from './server-facts.js';

/** What a lease role is made of. */
export interface LeaseRole {
  readonly role: string;
  readonly scopeRole: string;
  readonly verifier: string;
  readonly maxConnections: number;
  readonly expiresAt: Date;
  readonly issuedAt: Date;
  readonly mintBy: Date;
  readonly facts: Pick<ServerFacts, 'version' | 'role' | 'creators'>;
  /** the connections that leases may have together, where that is looked at */
  readonly capacity?: number;
}

/** How far the target's clock may be behind the one that set `mintBy`. */
const CLOCK_SLACK_SECONDS = 2;

/** The connections that all leases of the server may hold open together. */
export const HANDED_OUT = `(SELECT coalesce(sum(rolconnlimit), 0) FROM pg_roles
  WHERE rolname >= 'mayfly_' AND rolname < 'mayfly\`' AND rolcanlogin AND rolconnlimit > 0)`;

/**
 * The creator of a lease role, always the same one while the creators are the same; undefined where there are none. What
 * a server does for each change of a role grows with the roles that its creator has made, so they share the work.
 */
export function creatorOf(role: string, creators: readonly string[]): string | undefined {
  const sum = Buffer.from(role).reduce((total, byte) => (total * 31 + byte) % 1_000_003, 0);
  return creators[sum % Math.max(creators.length, 1)];
}

/**
 * One message, so one transaction: the role comes into being with its membership, or not at all. The look at the clock
 * stands last, so that no wait inside the message (for a lock, for the processor) lets it commit after `mintBy`; a clock
 * that is not even at `issuedAt` is no measure of that. The server's index of role names keeps two mints of one name apart.
 * VALID UNTIL stops new logins only; sessions that are open then are ended by revocation.
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
 * Moves the expiry of a role that may log in. It never says LOGIN, so it cannot bring a barred role back. An agent that
 * changes its role without committing holds up its own renewal only, and not for long.
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

/** Bounds each wait for a lock to the end of the message. */
export function waitAtMost(milliseconds: number): string {
  return `SET LOCAL lock_timeout = ${String(milliseconds)}`;
}

/** From PostgreSQL 16 on a member may be kept from SET ROLE, so that a session cannot shed its own name. */
function membershipOptions(serverVersion: number): string {
  return serverVersion >= 160_000 ? ' WITH INHERIT TRUE, SET FALSE' : '';
}

/** One block for all conditions, since each block costs the server about as much as a small statement. */
function raiseIf(...conditions: readonly (readonly [condition: string, sqlState: string])[]): string {
  const raising = conditions.map(
    ([condition, sqlState]) => `IF ${condition} THEN RAISE EXCEPTION USING ERRCODE = '${sqlState}'; END IF;`,
  );
  return `DO $mayfly$ BEGIN ${raising.join(' ')} END $mayfly$`;
}

/**
 * The first statement of a message whose names must be the server's own: a pooler may have given the session to somebody
 * else. It names everything in full, since it cannot rely on what it checks.
 */
const RAISE_UNLESS_PINNED = raiseIf([
  `pg_catalog.replace(pg_catalog.current_setting('search_path'), ' ', '') OPERATOR(pg_catalog.<>) '${CATALOG_ONLY}'`,
  UNPINNED,
]);

function instant(at: Date): string {
  return escapeLiteral(at.toISOString());
}
