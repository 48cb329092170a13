import type { LeaseMarks, TargetObject, TargetObjects } from '@mayfly/credentials';
import type { LeaseId } from '@mayfly/kernel';
import { escapeLiteral } from 'pg';
import { MARK_PREFIX } from './lease-role.js';
import { LEASE_ROLES } from './revoke/looks.js';
import type { Session } from './session.js';

/** The most roles that one call reads. A server has at most some tens of thousands of lease roles. */
const MAX_ROLES = 100_000;

const SCOPE_ROLES = "'^mayfly_scope_[0-9a-f]{40}$'";

interface FoundRow extends Record<string, unknown> {
  readonly name: string;
  readonly comment: string | null;
}

/**
 * Lists the roles of the server that have the name of a lease role. Leaves out the remains of ended leases, which can
 * neither log in nor use anything. One statement reads one snapshot, so a role that exists all the while is listed.
 */
const LIST = `
  SELECT rolname::text AS name, shobj_description(oid, 'pg_authid') AS comment FROM pg_roles AS role
   WHERE rolname ~ ${LEASE_ROLES} AND (rolcanlogin OR EXISTS (SELECT FROM pg_auth_members WHERE member = role.oid))
   ORDER BY 1 LIMIT ${String(MAX_ROLES + 1)}`;

/** Returns the lease roles of the server. The name of a role is the id of its lease, and its comment has the mark. */
export async function leaseObjects(session: Session, marks: LeaseMarks | undefined): Promise<TargetObjects> {
  const { rows } = await session.query<FoundRow>(LIST);
  const objects = rows.slice(0, MAX_ROLES).map((row) => objectOf(row, marks));
  return rows.length <= MAX_ROLES ? { objects } : { objects, unseen: TOO_MANY };
}

const TOO_MANY = `the server has more than ${String(MAX_ROLES)} lease roles, and only the first of them were compared; remove those that nobody needs`;

function objectOf({ name, comment }: FoundRow, marks: LeaseMarks | undefined): TargetObject {
  const leaseId: LeaseId = `lse_${name.slice('mayfly_'.length)}`;
  if (comment?.startsWith(MARK_PREFIX) !== true) return { name, leaseId, mark: 'none' };
  const isOurs = marks?.isMarkOf(leaseId, comment.slice(MARK_PREFIX.length)) === true;
  return { name, leaseId, mark: isOurs ? 'ours' : 'other' };
}

/** Returns the scope role that a lease role is a member of, or undefined when it is a member of none. */
export async function scopeRoleOf(session: Session, role: string): Promise<string | undefined> {
  const { rows } = await session.query<{ name: string }>(`
    SELECT scope.rolname::text AS name FROM pg_auth_members AS held
      JOIN pg_roles AS scope ON scope.oid = held.roleid JOIN pg_roles AS lease ON lease.oid = held.member
     WHERE lease.rolname = ${escapeLiteral(role)} AND scope.rolname ~ ${SCOPE_ROLES} LIMIT 1`);
  return rows[0]?.name;
}
