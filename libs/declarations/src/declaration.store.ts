import type { AuditEntry, EntrySink } from '@mayfly/audit';
import type { AgentId, Json, Labels, Page, PageRequest } from '@mayfly/kernel';
import type { RegisteredAgent } from './catalog.js';
import type { DeclaredRecord, DeclaredState, RecordKind } from './records/declared-record.js';
import type { EditedDraft, NewVersion, PublishedVersion, TemplateRecord } from './templates/template-record.js';

/** A record to write. Writing replaces labels and spec of the one of this name, and counts its revision on. */
export interface RecordWrite {
  readonly kind: RecordKind;
  readonly name: string;
  readonly labels: Labels;
  readonly spec: Json;
  readonly updatedBy: string;
  /** of agents: id and state when there is none of this name; an existing one keeps its own */
  readonly newAgent?: { readonly id: AgentId; readonly state: RegisteredAgent['state'] };
}

/** A version to write. Writing puts it in force. */
export interface VersionWrite extends NewVersion {
  readonly kind: 'TaskTemplate';
}

/** The live leases that may need a connection. */
export interface LiveLeases {
  /** the number of leases of the connection */
  readonly own: number;
  /** the other leases with the connection's name anywhere in the scope */
  readonly naming: readonly { readonly provider: string; readonly scope: Json }[];
}

/** Reads of declared state that nobody else changes while it is locked. */
interface LockedReads {
  record(kind: RecordKind, name: string): Promise<DeclaredRecord | undefined>;
  declared(): Promise<DeclaredState>;
  liveLeases(connection: string): Promise<LiveLeases>;
  template(name: string): Promise<TemplateRecord | undefined>;
  version(name: string, version: number): Promise<PublishedVersion | undefined>;
  /** Returns the number of the template's next version. */
  nextVersion(name: string): Promise<number>;
}

/** Writes of locked declared state. Each stores its audit entry with it. */
interface LockedWrites {
  /** Writes the documents in this order. Locks agents and templates first, in the order in which requests do. */
  write(writes: readonly (RecordWrite | VersionWrite)[], entries: readonly AuditEntry[]): Promise<void>;
  remove(kind: Exclude<RecordKind, 'Agent'>, name: string, entry: AuditEntry): Promise<void>;
  /** Stores the draft in place of the old one, and the template with it when there is none. */
  saveDraft(name: string, draft: EditedDraft, entry: AuditEntry): Promise<void>;
  /** Puts the version in force and removes the draft. */
  publishDraft(version: NewVersion, entry: AuditEntry): Promise<void>;
  retireTemplate(name: string, entry: AuditEntry): Promise<void>;
}

/** Declared state that nobody else changes while it is locked. */
export interface LockedState extends LockedReads, LockedWrites {}

/** Reads of records outside the lock. They throw `unavailable`. */
export interface RecordReader {
  find(kind: RecordKind, name: string): Promise<DeclaredRecord | undefined>;
  list(kind: RecordKind, page: PageRequest<string>): Promise<Page<DeclaredRecord, string>>;
  /** Returns the whole declared state, read at one instant. */
  state(): Promise<DeclaredState>;
}

/** Reads of templates outside the lock. They throw `unavailable`. */
export interface TemplateReader {
  find(name: string): Promise<TemplateRecord | undefined>;
  list(page: PageRequest<string>): Promise<Page<TemplateRecord, string>>;
  version(name: string, version: number): Promise<PublishedVersion | undefined>;
  /** Returns one page of a template's versions, the newest first. */
  versions(name: string, page: PageRequest<number>): Promise<Page<PublishedVersion, number>>;
}

/** Port: declared state in the database. */
export interface DeclarationStore extends EntrySink {
  readonly records: RecordReader;
  readonly templates: TemplateReader;
  /**
   * Runs `work` in one transaction, under a lock that serializes all changes of declared state over all replicas.
   * Commits when `work` resolves; nothing is written when it rejects. Throws `unavailable`, and the errors of `work`.
   */
  underLock<T>(work: (state: LockedState) => Promise<T>): Promise<T>;
}
