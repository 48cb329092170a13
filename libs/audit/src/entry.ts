import { canonicalJson, newId, type AuditEntryId, type JsonObject, type LeaseId, type TaskId } from '@mayfly/kernel';

/** What an entry tells: one transition, one denial, or how many denials of a kind have no entry of their own (`DenialLog`). */
export type AuditEntryType =
  | 'identity.refused'
  | 'request.forbidden'
  | 'task.granted'
  | 'task.denied'
  | 'task.ending'
  | 'task.ended'
  | 'task.renewed'
  | 'lease.issued'
  | 'lease.failed'
  | 'lease.revoking'
  | 'lease.revoked'
  | 'lease.expired'
  | 'lease.cut-off'
  | 'target.cut-off'
  | 'target.orphaned'
  | 'target.repaired'
  | 'declaration.changed'
  | 'connection.disabled'
  | 'connection.enabled'
  | 'connection.tested'
  | 'connection.revocation-failing'
  | 'connection.revocation-restored'
  | 'issuer.tested'
  | 'agent.activated'
  | 'agent.suspended'
  | 'agent.retired'
  | 'template.drafted'
  | 'template.published'
  | 'template.refused'
  | 'template.retired'
  | 'signing-key.added';

/** Who did it: an agent, a person or another workload (by issuer and subject), or Mayfly itself. */
export type Actor =
  | { readonly kind: 'agent'; readonly name: string; readonly runtime: string }
  | { readonly kind: 'person'; readonly issuer: string; readonly subject: string }
  | { readonly kind: 'workload'; readonly issuer: string; readonly subject: string }
  | { readonly kind: 'mayfly' };

export const MAYFLY: Actor = { kind: 'mayfly' };

/** An entry as it is stored. `body` is canonical JSON (RFC 8785) of everything below and the facts: the bytes that the log commits to. */
export interface AuditEntry {
  readonly id: AuditEntryId;
  readonly at: Date;
  readonly type: AuditEntryType;
  readonly taskId?: TaskId;
  readonly leaseId?: LeaseId;
  readonly agent?: string;
  readonly body: string;
}

export interface AuditSubject {
  readonly taskId?: TaskId;
  readonly leaseId?: LeaseId;
  /** the agent's name */
  readonly agent?: string;
}

/** Makes an entry. INVARIANT: I10, `facts` holds no secret; callers pass names, ids, states, times and verdicts only. */
export function auditEntry(
  type: AuditEntryType,
  at: Date,
  actor: Actor,
  subject: AuditSubject,
  facts: JsonObject,
): AuditEntry {
  const id = newId('aud');
  const body = canonicalJson({ ...facts, id, at: at.toISOString(), type, actor: { ...actor }, ...subject });
  return { id, at, type, ...subject, body };
}
