import type { Json, JsonObject } from '@mayfly/kernel';
import type { DeclaredRecord } from '../records/declared-record.js';
import { differencesOf, isStale, stateAt, type DocumentChange, type DocumentContent } from './document-change.js';

/** Returns a change as the API shows it in lists. */
export function changeView(change: DocumentChange, now: Date): JsonObject {
  const { id, kind, name, operation, base, author, requestedAt, lapsesAt, closed } = change;
  return {
    ...{ id, kind, name, operation, state: stateAt(change, now) },
    ...{ author: { ...author.actor }, requestedAt: requestedAt.toISOString(), lapsesAt: lapsesAt.toISOString() },
    baseRevision: base?.revision ?? null,
    ...(closed === undefined ? {} : closingView(closed)),
  };
}

/**
 * Returns a change with the content that it replaces and the one that it asks for. A change that waits is compared with
 * the document in force, a closed one with the document that it was written against.
 */
export function changeDetailView(change: DocumentChange, record: DeclaredRecord | undefined, now: Date): JsonObject {
  const isOpen = stateAt(change, now) === 'open';
  const before = isOpen ? record : change.base;
  return {
    ...changeView(change, now),
    stale: isOpen && isStale(change, record),
    before: contentView(before),
    asked: contentView(change.asked),
    differences: differencesOf(before, change.asked).map((difference) => ({ ...difference })),
  };
}

function closingView({ at, by, reason, supersededBy }: NonNullable<DocumentChange['closed']>): JsonObject {
  return {
    ...{ closedAt: at.toISOString(), closedBy: { ...by } },
    ...(reason === undefined ? {} : { reason }),
    ...(supersededBy === undefined ? {} : { supersededBy }),
  };
}

function contentView(content: (DocumentContent & { readonly revision?: number }) | undefined): Json {
  if (content === undefined) return null;
  const { labels, spec, revision } = content;
  return { labels, spec, ...(revision === undefined ? {} : { revision }) };
}
