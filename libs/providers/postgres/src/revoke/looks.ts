import { escapeLiteral } from 'pg';

/** A lease role as the server reports it. */
export interface FoundRole {
  readonly name: string;
  readonly oid: string;
  /** the role that created it and alone can change it (PostgreSQL 16 and newer); null when any CREATEROLE can */
  readonly maker: string | null;
}

/** SQL pattern for the names of lease roles. */
export const LEASE_ROLES = "'^mayfly_[0-9a-z]{26}$'";

/** Reads each role with its maker: the member with ADMIN that the login may work as. */
const FOUND = `
  SELECT role.rolname AS name, role.oid::text AS oid,
         (SELECT maker.rolname FROM pg_auth_members AS held JOIN pg_roles AS maker ON maker.oid = held.member
           WHERE held.roleid = role.oid AND held.admin_option AND pg_has_role(session_user, maker.oid, 'MEMBER')
           ORDER BY maker.rolname = current_user DESC LIMIT 1) AS maker
    FROM pg_roles AS role`;

/** Returns the query for those of these roles that exist, with the maker of each. */
export function findRoles(names: readonly string[]): string {
  return `${FOUND} WHERE role.rolname IN (${names.map((name) => escapeLiteral(name)).join()})`;
}

/**
 * The remaining roles of ended leases: they cannot log in and are members of no role. No lease that lives or is being
 * ended has such a role.
 */
export const REMAINS = `${FOUND}
   WHERE role.rolname ~ ${LEASE_ROLES} AND NOT role.rolcanlogin
     AND NOT EXISTS (SELECT FROM pg_auth_members WHERE member = role.oid) LIMIT 20`;

/**
 * Returns the query that ends the sessions of these roles in every database of the server, and counts them per role.
 */
export function endSessionsOf(oids: readonly string[]): string {
  return `
  SELECT usesysid::text AS oid, count(pg_terminate_backend(pid))::int AS sessions
    FROM pg_stat_activity WHERE usesysid IN (${oids.map((oid) => `${escapeLiteral(oid)}::oid`).join()}) GROUP BY 1`;
}

/**
 * The prepared transactions of leases. They outlive their session and their owner's role. Before PostgreSQL 16 a lease
 * may prepare one as its scope role.
 */
export const PREPARED = `
  SELECT gid, database::text AS database, owner::text AS owner, transaction::text AS xid FROM pg_prepared_xacts
   WHERE owner ~ '^mayfly_([0-9a-z]{26}|scope_[0-9a-f]{40})$'`;

export interface PreparedTransaction {
  readonly gid: string;
  readonly database: string;
  readonly owner: string;
  readonly xid: string;
}
