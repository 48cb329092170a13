import { escapeLiteral } from 'pg';
import type { ServerFacts } from '../server-facts.js';

/** A lease role as the server reports it. */
export interface FoundRole {
  readonly name: string;
  readonly oid: string;
  /** the role that created it and alone can change it (PostgreSQL 16 and newer); null when any CREATEROLE can */
  readonly maker: string | null;
  /** true when only the functions of the target's owner can change it; `maker` is then the role that calls them */
  readonly byFunctions: boolean;
}

/** A row of `findRoles`. */
export type RoleRow = Pick<FoundRole, 'name' | 'oid' | 'maker'> & Record<string, unknown>;

/** SQL pattern for the names of lease roles. */
export const LEASE_ROLES = "'^mayfly_[0-9a-z]{26}$'";

/**
 * Reads each role with its maker: the member with ADMIN that the login may work as. `makers` are roles that it may work
 * as for certain. Other makers are looked for only when none of these made the role: `pg_has_role` reads the members of
 * every role of the login, so all living leases.
 */
function found(makers: readonly string[]): string {
  const maker = `SELECT maker.rolname FROM pg_auth_members AS held JOIN pg_roles AS maker ON maker.oid = held.member
           WHERE held.roleid = role.oid AND held.admin_option`;
  return `
  SELECT role.rolname AS name, role.oid::text AS oid, coalesce(
         (${maker} AND maker.rolname IN (${textsOf(makers)}) LIMIT 1),
         (${maker} AND pg_has_role(session_user, maker.oid, 'MEMBER') LIMIT 1)) AS maker
    FROM pg_roles AS role`;
}

function textsOf(names: readonly string[]): string {
  return names.map((name) => escapeLiteral(name)).join();
}

/** Returns the query for those of these roles that exist, with the maker of each. */
export function findRoles(names: readonly string[], makers: readonly string[]): string {
  return `${found(makers)} WHERE role.rolname IN (${textsOf(names)})`;
}

/**
 * Returns a role with the way to change it. Each change sets its role, the connection's `role` where no maker is known:
 * a pooler may have handed the session to another client.
 */
export function foundRole({ name, oid, maker }: RoleRow, role: string | undefined, facts: ServerFacts): FoundRole {
  return { name, oid, maker: maker ?? role ?? null, byFunctions: maker === null && facts.functions };
}

/**
 * Returns the query for the remaining roles of ended leases: they cannot log in and are members of no role. No lease
 * that lives or is being ended has such a role.
 */
export function remainingRoles(makers: readonly string[]): string {
  return `${found(makers)}
   WHERE role.rolname ~ ${LEASE_ROLES} AND NOT role.rolcanlogin
     AND NOT EXISTS (SELECT FROM pg_auth_members WHERE member = role.oid) LIMIT 20`;
}

/**
 * The sessions of the server with the names of their roles, as `pg_stat_activity` has them. The view joins all roles of
 * the server at each look; this looks up the role of each session.
 */
export const SESSIONS = `(
    SELECT pid, usesysid, (SELECT rolname FROM pg_roles WHERE oid = usesysid) AS usename
      FROM pg_stat_get_activity(NULL)) AS session`;

/**
 * Returns the query that ends the sessions of these roles in every database of the server, and counts them per role.
 */
export function endSessionsOf(oids: readonly string[]): string {
  return `
  SELECT usesysid::text AS oid, count(pg_terminate_backend(pid))::int AS sessions
    FROM pg_stat_get_activity(NULL) WHERE usesysid IN (${oids.map((oid) => `${escapeLiteral(oid)}::oid`).join()}) GROUP BY 1`;
}

/**
 * The prepared transactions of leases. They outlive their session and their owner's role. Before PostgreSQL 16 a lease
 * may prepare one as its scope role.
 */
export const PREPARED = `
  SELECT gid, database::text AS database, owner::text AS owner, transaction::text AS xid FROM pg_prepared_xacts
   WHERE owner ~ '^mayfly_([0-9a-z]{26}|scope_[0-9a-f]{40})$'`;

/** A prepared transaction as the server reports it. */
export interface PreparedTransaction {
  readonly gid: string;
  readonly database: string;
  readonly owner: string;
  readonly xid: string;
}
