import { auditEntry, MAYFLY, type Actor, type AuditEntry } from '@mayfly/audit';
import type { ChangeId } from '@mayfly/kernel';
import { placesOf } from '../records/changed-places.js';
import { differencesOf, type ChangeClosing, type DocumentChange } from './document-change.js';

/** Returns the entry of a change that begins to wait. INVARIANT: I10, pointers are audited, values never. */
export function requestedEntry(change: DocumentChange): AuditEntry {
  const { base, asked, requestedAt, lapsesAt, author } = change;
  return auditEntry('change.requested', requestedAt, author.actor, subjectOf(change), {
    ...factsOf(change),
    baseRevision: base?.revision ?? null,
    lapsesAt: lapsesAt.toISOString(),
    ...placesOf(differencesOf(base, asked)),
  });
}

/** The end of a change with its entry. */
export interface Ending {
  readonly closing: ChangeClosing;
  readonly entry: AuditEntry;
}

export function approval(change: DocumentChange, at: Date, by: Actor, reason: string | undefined): Ending {
  const told = reason === undefined ? {} : { reason };
  const entry = auditEntry('change.approved', at, by, subjectOf(change), { ...factsOf(change), ...told });
  return { closing: { state: 'approved', at, by, ...told }, entry };
}

export function refusal(change: DocumentChange, at: Date, by: Actor, reason: string): Ending {
  const entry = auditEntry('change.refused', at, by, subjectOf(change), { ...factsOf(change), reason });
  return { closing: { state: 'refused', at, by, reason }, entry };
}

/** `next` is the change that replaces this one. Without it, the document moved on or the author took the change back. */
export function supersession(change: DocumentChange, at: Date, by: Actor, next?: ChangeId): Ending {
  const facts = { ...factsOf(change), ...(next === undefined ? {} : { by: next }) };
  const later = next === undefined ? {} : { supersededBy: next };
  return {
    closing: { state: 'superseded', at, by, ...later },
    entry: auditEntry('change.superseded', at, by, subjectOf(change), facts),
  };
}

export function lapse(change: DocumentChange, at: Date): Ending {
  const entry = auditEntry('change.lapsed', at, MAYFLY, subjectOf(change), factsOf(change));
  return { closing: { state: 'lapsed', at, by: MAYFLY }, entry };
}

function factsOf({ id, kind, name, operation, author }: DocumentChange) {
  return { change: id, kind, name, operation, author: author.name };
}

function subjectOf({ kind, name }: DocumentChange): { readonly agent?: string } {
  return kind === 'Agent' ? { agent: name } : {};
}
