import { FACT_VERSIONS, type AuditEntryType, type EntryFacts } from './entry-facts.js';
import { hash } from 'node:crypto';
import {
  canonicalJson,
  newId,
  type AuditEntryId,
  type DecisionId,
  type JsonObject,
  type LeaseId,
  type TaskId,
} from '@mayfly/kernel';

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
  /** INVARIANT: I5, the commit that writes the entry writes this record too. */
  readonly decision?: KeptDecision;
}

/** The record of a decision in its stored form. `body` is canonical JSON; an entry states its digest. */
export interface KeptDecision {
  readonly id: DecisionId;
  readonly at: Date;
  readonly taskId?: TaskId;
  readonly body: string;
}

/** The task, the lease and the agent that an entry is about, as far as it has them. */
export interface AuditSubject {
  readonly taskId?: TaskId;
  readonly leaseId?: LeaseId;
  /** the agent's name */
  readonly agent?: string;
}

/**
 * Returns a new entry. The facts have the form of their type (`ENTRY_FACTS`) and hold no secret (I10). With a decision,
 * the facts state its id and the digest of its record, so that the log commits to both.
 */
export function auditEntry<Type extends AuditEntryType>(
  type: Type,
  at: Date,
  actor: Actor,
  subject: AuditSubject,
  facts: EntryFacts<Type>,
  decision?: KeptDecision,
): AuditEntry {
  const id = newId('aud');
  const envelope = { id, at: at.toISOString(), type, factsVersion: FACT_VERSIONS[type] ?? 1, actor: { ...actor } };
  const stated = { ...(facts as JsonObject), ...envelope, ...subject };
  if (decision === undefined) return { id, at, type, ...subject, body: canonicalJson(stated) };
  const digest = hash('sha256', decision.body, 'base64url');
  return {
    id,
    at,
    type,
    ...subject,
    body: canonicalJson({ ...stated, decision: { id: decision.id, digest } }),
    decision,
  };
}
