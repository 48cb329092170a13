import type { Actor } from '@mayfly/audit';
import { addSeconds, canonicalJson, type ChangeId, type Json, type Labels } from '@mayfly/kernel';
import { diffSpecs, type Difference } from '@mayfly/templates';
import type { DeclaredRecord, Declarer, RecordKind } from '../records/declared-record.js';

/** A change that nobody decided on lapses after this time: its author may no longer want it, and nobody reads it. */
const CHANGE_LAPSES_AFTER_DAYS = 7;
/** The most changes that may wait at once. */
export const MAX_OPEN_CHANGES = 1_000;

/** The kinds whose documents two persons change, in production. Templates have drafts, which a second person publishes. */
export const REQUESTED_KINDS: Readonly<Record<RecordKind, boolean>> = { Issuer: true, Connection: true, Agent: true };

/** `put` writes a document; `activate` lifts the suspension of an agent; `enable` enables a connection again. */
export const CHANGE_OPERATIONS = ['put', 'activate', 'enable'] as const;
export type ChangeOperation = (typeof CHANGE_OPERATIONS)[number];

export const CHANGE_STATES = ['open', 'approved', 'refused', 'superseded', 'lapsed'] as const;
export type ChangeState = (typeof CHANGE_STATES)[number];

/** The parts of a document that a change replaces. */
export interface DocumentContent {
  readonly labels: Labels;
  readonly spec: Json;
}

/** The end of a change; `by` is Mayfly itself when it lapsed. */
export interface ChangeClosing {
  readonly state: Exclude<ChangeState, 'open'>;
  readonly at: Date;
  readonly by: Actor;
  readonly reason?: string;
  /** the later change that replaced it */
  readonly supersededBy?: ChangeId;
}

/** A change of one document that one person asked for and another one decides on. */
export interface DocumentChange {
  readonly id: ChangeId;
  readonly kind: RecordKind;
  readonly name: string;
  readonly operation: ChangeOperation;
  /** the content to write; undefined for a step */
  readonly asked?: DocumentContent;
  /** the document that the change was written against; undefined when it creates one */
  readonly base?: DocumentContent & { readonly revision: number };
  readonly author: Pick<Declarer, 'name' | 'actor'>;
  readonly requestedAt: Date;
  readonly lapsesAt: Date;
  /** undefined while it waits */
  readonly closed?: ChangeClosing;
}

/** The answer to a change that waits for a second person. */
export interface RequestedChange {
  readonly change: DocumentChange;
}

/** True for the answer that a second person must decide. */
export function isRequested(answer: object): answer is RequestedChange {
  return 'change' in answer;
}

/** Returns the state at `now`: a change that waits too long has lapsed, also before its end is recorded. */
export function stateAt({ closed, lapsesAt }: DocumentChange, now: Date): ChangeState {
  if (closed !== undefined) return closed.state;
  return lapsesAt <= now ? 'lapsed' : 'open';
}

/** Returns the instant at which a change of `now` lapses. */
export function lapseOf(now: Date): Date {
  return addSeconds(now, CHANGE_LAPSES_AFTER_DAYS * 86_400);
}

/**
 * True when the document is no longer the one that the change was written against. Compares the content too: a document
 * that was deleted and declared again counts its revisions anew.
 */
export function isStale({ base }: Pick<DocumentChange, 'base'>, record: DeclaredRecord | undefined): boolean {
  if (base === undefined || record === undefined) return base !== undefined || record !== undefined;
  return base.revision !== record.revision || !isSameContent(base, record);
}

/** True for equal labels and specs. */
export function isSameContent(one: DocumentContent, other: DocumentContent): boolean {
  return textOf(one) === textOf(other);
}

/** Returns the differences that a change makes, with pointers into the document. A new document has none. */
export function differencesOf(before: DocumentContent | undefined, after: DocumentContent | undefined): Difference[] {
  if (before === undefined || after === undefined) return [];
  return diffSpecs(contentOf(before), contentOf(after));
}

/** True for one person: the same subject of the same issuer. Two callers are not proven different without both. */
export function isSamePerson(one: Actor, other: Actor): boolean {
  if (!('subject' in one) || !('subject' in other)) return true;
  return one.issuer === other.issuer && one.subject === other.subject;
}

function textOf(content: DocumentContent): string {
  return canonicalJson(contentOf(content));
}

function contentOf({ labels, spec }: DocumentContent): Json {
  return { labels, spec };
}
