import type { AuditEntry } from '@mayfly/audit';
import type { ChangeId, Page, PageRequest } from '@mayfly/kernel';
import type { DeclaredRecord, Declarer, RecordKind } from '../records/declared-record.js';
import type { ChangeClosing, ChangeState, DocumentChange } from './document-change.js';

/** Filters of a list of changes; `state` is the one at `now`. */
export interface ChangeFilter {
  readonly state?: ChangeState | undefined;
  readonly kind?: RecordKind | undefined;
  readonly name?: string | undefined;
  readonly now: Date;
}

/** Reads of changes outside the lock. They throw `unavailable`. */
export interface ChangeReader {
  /** Returns the change, or undefined. */
  find(id: ChangeId): Promise<DocumentChange | undefined>;
  /** Returns one page of changes, the newest first. */
  list(filter: ChangeFilter, page: PageRequest<ChangeId>): Promise<Page<DocumentChange, ChangeId>>;
  /** Returns up to `limit` changes that are not closed and lapsed before `now`, the oldest first. */
  lapsed(now: Date, limit: number): Promise<readonly ChangeId[]>;
}

/** Changes under the lock of declared state. Each write also stores its audit entry. */
export interface LockedChanges {
  change(id: ChangeId): Promise<DocumentChange | undefined>;
  /** Returns the change of the document that is not closed; it may have lapsed. There is at most one. */
  openChange(kind: RecordKind, name: string): Promise<DocumentChange | undefined>;
  /** Returns all changes that are not closed, the oldest first. */
  openChanges(): Promise<readonly DocumentChange[]>;
  addChange(change: DocumentChange, entry: AuditEntry): Promise<void>;
  closeChange(id: ChangeId, closing: ChangeClosing, entry: AuditEntry): Promise<void>;
}

/** The step that a change takes: an agent becomes active, or a connection enabled. */
export type RecordMove = { readonly name: string; readonly by: Declarer; readonly entry: AuditEntry } & (
  { readonly kind: 'Agent'; readonly to: 'active' } | { readonly kind: 'Connection'; readonly to: 'enabled' }
);

/** Steps of records under the lock of declared state. */
export interface LockedSteps {
  /** Returns the record, and keeps every other change of its row out until the commit. */
  lockRecord(kind: RecordKind, name: string): Promise<DeclaredRecord | undefined>;
  /** Stores the state and its audit entry. Throws `unavailable` while earlier tasks of the agent are being ended. */
  moveRecord(move: RecordMove): Promise<void>;
}
