import { addSeconds } from '@mayfly/kernel';
import { CATALOG_ONLY } from '@mayfly/postgres';
import { escapeIdentifier, escapeLiteral } from 'pg';
import { CLOCK_BEHIND, NO_CAPACITY, NOT_ALIVE, TOO_LATE, UNPINNED } from './failures.js';
import { markCall, mintCall, renewCall, type NewRole } from './owner-functions.js';
import type { ServerFacts } from './server-facts.js';

/** One lease role to create. */
export interface LeaseRole extends NewRole {
  readonly issuedAt: Date;
  readonly mintBy: Date;
  /** the mark of the lease, for the comment of the role (`LeaseMarks`) */
  readonly mark?: string | undefined;
}

/** Facts and limits of the message that creates lease roles. */
export interface Creation {
  readonly facts: Pick<ServerFacts, 'version' | 'functions'> & Partial<Pick<ServerFacts, 'marksByFunction'>>;
  /** the role that creates the lease roles; without it, the session's role creates them */
  readonly creator?: string | undefined;
  /** true when the session works as the creator already */
  readonly isCreator?: boolean;
  /** the sum of connection limits that leases may hold; set only when this message must count */
  readonly capacity?: number | undefined;
  /** the longest wait for one lock; without it, the message waits as long as the session lets it */
  readonly lockTimeoutMillis?: number | undefined;
}

/** Tolerance for a database clock that is behind Mayfly's. */
const CLOCK_SLACK_SECONDS = 2;

/** SQL for the sum of the connection limits of all lease roles that may log in. */
export const HANDED_OUT = `(SELECT coalesce(sum(rolconnlimit), 0) FROM pg_roles
  WHERE rolname >= 'mayfly_' AND rolname < 'mayfly\`' AND rolcanlogin AND rolconnlimit > 0)`;

/**
 * Returns one message, so one transaction with one flush: it creates all these roles with their memberships, or none of
 * them. The clock check comes last, so that no wait inside the message (for a lock or for the processor) lets a role
 * commit after its `mintBy`; the earliest `mintBy` decides for all. A clock that is behind the latest `issuedAt` cannot
 * prove that, so the message fails. The server's unique index on role names lets only one of two mints of one name
 * succeed. VALID UNTIL stops new logins only; revocation ends the open sessions.
 */
export function createMessage(leases: readonly LeaseRole[], creation: Creation): string {
  return [
    RAISE_UNLESS_PINNED,
    ...(creation.lockTimeoutMillis === undefined ? [] : [waitAtMost(creation.lockTimeoutMillis)]),
    ...(creation.facts.functions
      ? [mintCall(leases), ...markCalls(leases, creation.facts)]
      : [
          ...takeCreator(creation),
          ...leases.map(createOne),
          ...leases.flatMap(commentOn),
          ...grantStatements(leases, creation.facts),
        ]),
    ...(creation.capacity === undefined
      ? []
      : [raiseIf([`${HANDED_OUT} > ${String(creation.capacity)}`, NO_CAPACITY])]),
    raiseUnlessInTime(leases),
  ].join(';\n');
}

/**
 * One creator makes all roles of a message and grants the scopes. SET ROLE makes the server read the roles of all
 * creators, so a session that works as the creator already only makes sure of that.
 */
function takeCreator({ creator, isCreator }: Creation): readonly string[] {
  if (creator === undefined) return [];
  if (isCreator !== true) return [`SET LOCAL ROLE ${escapeIdentifier(creator)}`];
  return [raiseIf([`current_user <> ${escapeLiteral(creator)}`, UNPINNED])];
}

function createOne({ role, maxConnections, verifier, expiresAt }: LeaseRole): string {
  return (
    `CREATE ROLE ${escapeIdentifier(role)} LOGIN INHERIT CONNECTION LIMIT ${String(maxConnections)}` +
    ` PASSWORD ${escapeLiteral(verifier)} VALID UNTIL ${instant(expiresAt)}`
  );
}

/** The text before the mark in the comment of a lease role. */
export const MARK_PREFIX = 'mayfly lease ';

/**
 * Writes the mark of the lease as the comment of its role, in the transaction that creates the role: no role is ever
 * seen without its mark. The server drops the comment with the role.
 */
function commentOn({ role, mark }: LeaseRole): readonly string[] {
  if (mark === undefined) return [];
  return [`COMMENT ON ROLE ${escapeIdentifier(role)} IS ${escapeLiteral(MARK_PREFIX + mark)}`];
}

function markCalls(leases: readonly LeaseRole[], { marksByFunction }: Creation['facts']): readonly string[] {
  const marks = leases.flatMap(({ role, mark }) => (mark === undefined ? [] : [{ role, mark }]));
  return marksByFunction === true && marks.length > 0 ? [markCall(marks)] : [];
}

/**
 * Grants each scope role once, to all its new members: the server checks the right to grant once for each statement.
 * The statements follow the creation of all roles, because a GRANT keeps other grants of its scope role waiting until
 * the commit. They are sorted, so that the messages of two processes cannot deadlock.
 */
function grantStatements(leases: readonly LeaseRole[], { version }: Creation['facts']): readonly string[] {
  return [...grouped(leases, ({ scopeRole }) => scopeRole)].map(([scopeRole, members]) => {
    const names = members.map(({ role }) => escapeIdentifier(role)).join(', ');
    return `GRANT ${escapeIdentifier(scopeRole)} TO ${names}${membershipOptions(version)}`;
  });
}

/** Returns the items by key, sorted by key. */
export function grouped<T>(items: readonly T[], keyOf: (item: T) => string): ReadonlyMap<string, readonly T[]> {
  const keys = [...new Set(items.map(keyOf))].sort((first, second) => (first < second ? -1 : 1));
  return new Map(keys.map((key) => [key, items.filter((item) => keyOf(item) === key)]));
}

function raiseUnlessInTime(leases: readonly LeaseRole[]): string {
  const latestIssue = new Date(Math.max(...leases.map(({ issuedAt }) => issuedAt.getTime())));
  const earliestEnd = new Date(Math.min(...leases.map(({ mintBy }) => mintBy.getTime())));
  return raiseIf(
    [`clock_timestamp() < ${instant(addSeconds(latestIssue, -CLOCK_SLACK_SECONDS))}::timestamptz`, CLOCK_BEHIND],
    [`clock_timestamp() > ${instant(earliestEnd)}::timestamptz`, TOO_LATE],
  );
}

/**
 * Returns the message that moves the expiry of a role that may log in. It never says LOGIN, so it cannot re-enable a
 * barred role. An agent that changes its role without committing delays only its own renewal, by at most 1 s for each
 * lock.
 */
export function renewStatement(
  { name, maker, byFunctions }: { name: string; maker: string | null; byFunctions: boolean },
  expiresAt: Date,
  mintBy: Date,
): string {
  const alive = `SELECT FROM pg_roles WHERE rolname = ${escapeLiteral(name)} AND rolcanlogin`;
  return [
    RAISE_UNLESS_PINNED,
    waitAtMost(1_000),
    raiseIf([`NOT EXISTS (${alive})`, NOT_ALIVE]),
    ...(maker === null ? [] : [`SET LOCAL ROLE ${escapeIdentifier(maker)}`]),
    byFunctions ? renewCall(name, expiresAt) : `ALTER ROLE ${escapeIdentifier(name)} VALID UNTIL ${instant(expiresAt)}`,
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
