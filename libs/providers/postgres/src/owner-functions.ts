import { escapeLiteral } from 'pg';
import type { Session } from './session.js';

/** A login role to create, with its one membership. */
export interface NewRole {
  readonly role: string;
  readonly scopeRole: string;
  readonly verifier: string;
  readonly maxConnections: number;
  readonly expiresAt: Date;
}

/** The version of `docs/postgres-functions.sql` that this code calls. */
const VERSION = 1;

/**
 * Finds the functions of the target's owner. Nobody but superusers may have made anything in their schema: Mayfly would
 * run it with its own rights, and a SECURITY DEFINER function of a lesser role would have that role's rights only.
 */
const USABLE = `
  SELECT EXISTS (
    SELECT FROM pg_namespace AS space JOIN pg_roles AS owner ON owner.oid = space.nspowner
     WHERE space.nspname = 'mayfly' AND owner.rolsuper AND has_schema_privilege(space.oid, 'USAGE')
       AND NOT EXISTS (SELECT FROM aclexplode(space.nspacl) AS acl
                        WHERE acl.privilege_type = 'CREATE' AND acl.grantee <> space.nspowner)
       AND EXISTS (SELECT FROM pg_proc WHERE pronamespace = space.oid AND proname = 'mint_leases'
                      AND has_function_privilege(pg_proc.oid, 'EXECUTE'))
       AND NOT EXISTS (SELECT FROM pg_proc JOIN pg_roles AS maker ON maker.oid = proowner
                        WHERE pronamespace = space.oid AND NOT (prosecdef AND maker.rolsuper))) AS usable`;

/** True when the session's role may call functions of the right version (ADR 0004). Needs PostgreSQL 16. */
export async function hasOwnerFunctions(session: Session): Promise<boolean> {
  const [found] = (await session.query<{ usable: boolean }>(USABLE)).rows;
  if (found?.usable !== true) return false;
  const [row] = (await session.query<{ version: number }>('SELECT mayfly.version() AS version')).rows;
  return row?.version === VERSION;
}

/** True when the functions can mark lease roles; those of an earlier file cannot. Needs `hasOwnerFunctions`. */
export async function canOwnerFunctionsMark(session: Session): Promise<boolean> {
  const statement = `SELECT to_regprocedure('mayfly.mark_leases(text[],text[])') IS NOT NULL AS "canMark"`;
  const [row] = (await session.query<{ canMark: boolean }>(statement)).rows;
  return row?.canMark === true;
}

/** Functions that change lease roles, each for an array of names. */
export type LeasesFunction = 'bar_leases' | 'drop_leases';
/** Functions that change one lease role or scope role. */
export type RoleFunction = 'await_mint' | 'join_lease' | 'strip_lease' | 'make_scope';

/** Returns the call that changes these lease roles. */
export function callForLeases(name: LeasesFunction, roles: readonly string[]): string {
  return `SELECT mayfly.${name}(${arrayOf(roles, 'text')})`;
}

/** Returns the call that changes this role. */
export function callForRole(name: RoleFunction, role: string): string {
  return `SELECT mayfly.${name}(${escapeLiteral(role)})`;
}

/** Returns the call that creates these lease roles with their memberships. */
export function mintCall(leases: readonly NewRole[]): string {
  const columns = [
    arrayOf(
      leases.map(({ role }) => role),
      'text',
    ),
    arrayOf(
      leases.map(({ scopeRole }) => scopeRole),
      'text',
    ),
    arrayOf(
      leases.map(({ verifier }) => verifier),
      'text',
    ),
    arrayOf(
      leases.map(({ maxConnections }) => String(maxConnections)),
      'int',
    ),
    arrayOf(
      leases.map(({ expiresAt }) => expiresAt.toISOString()),
      'timestamptz',
    ),
  ];
  return `SELECT mayfly.mint_leases(${columns.join(', ')})`;
}

/** Returns the call that writes the marks of these lease roles. */
export function markCall(marks: readonly { readonly role: string; readonly mark: string }[]): string {
  const names = marks.map(({ role }) => role);
  return `SELECT mayfly.mark_leases(${arrayOf(names, 'text')}, ${arrayOf(
    marks.map(({ mark }) => mark),
    'text',
  )})`;
}

/** Returns the call that moves the expiry of a lease role. */
export function renewCall(role: string, expiresAt: Date): string {
  return `SELECT mayfly.renew_lease(${escapeLiteral(role)}, ${escapeLiteral(expiresAt.toISOString())}::timestamptz)`;
}

/** Returns an array as one constant, so that `pg_stat_statements` keeps one entry for arrays of every length. */
function arrayOf(elements: readonly string[], type: string): string {
  const quoted = elements.map((element) => `"${element.replace(/["\\]/g, '\\$&')}"`);
  return `${escapeLiteral(`{${quoted.join(',')}}`)}::${type}[]`;
}
