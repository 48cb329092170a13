import { FACT_VERSIONS, type AuditEntryType, type EntryFacts } from './entry-facts.js';
import { canonicalJson, newId, type AuditEntryId, type JsonObject, type LeaseId, type TaskId } from '@mayfly/kernel';

/** The author of a change: an agent, a person or another workload (by issuer and subject), or Mayfly itself. */
export type Actor =
  | { readonly kind: 'agent'; readonly name: string; readonly runtime: string }
  | { readonly kind: 'person'; readonly issuer: string; readonly subject: string }
  | { readonly kind: 'workload'; readonly issuer: string; readonly subject: string }
  | { readonly kind: 'mayfly' };

export const MAYFLY: Actor = { kind: 'mayfly' };

/**
 * A stored entry. `body` is the canonical JSON (RFC 8785) of the other members and the facts; the log commits to its
 * bytes.
 */
export interface AuditEntry {
  readonly id: AuditEntryId;
  readonly at: Date;
  readonly type: AuditEntryType;
  readonly taskId?: TaskId;
  readonly leaseId?: LeaseId;
  readonly agent?: string;
  readonly body: string;
}

/** The task, the lease and the agent that an entry is about, as far as it has them. */
export interface AuditSubject {
  readonly taskId?: TaskId;
  readonly leaseId?: LeaseId;
  /** the agent's name */
  readonly agent?: string;
}

/** Returns a new entry. The facts have the form of their type (`ENTRY_FACTS`) and hold no secret (I10). */
export function auditEntry<Type extends AuditEntryType>(
  type: Type,
  at: Date,
  actor: Actor,
  subject: AuditSubject,
  facts: EntryFacts<Type>,
): AuditEntry {
  const id = newId('aud');
  const envelope = { id, at: at.toISOString(), type, factsVersion: FACT_VERSIONS[type] ?? 1, actor: { ...actor } };
  return { id, at, type, ...subject, body: canonicalJson({ ...(facts as JsonObject), ...envelope, ...subject }) };
}
