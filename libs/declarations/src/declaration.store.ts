import type { AuditEntry, EntrySink } from '@mayfly/audit';
import type { AgentId, Json, Labels, Page, PageRequest } from '@mayfly/kernel';
import type { ChangeReader, LockedChanges, LockedSteps } from './changes/change.store.js';
import type { RegisteredAgent } from './catalog.js';
import type { DeclaredRecord, DeclaredState, RecordKind } from './records/declared-record.js';
import type { EditedDraft, NewVersion, PublishedVersion, TemplateRecord } from './templates/template-record.js';

/**
 * A record to write. The write replaces the labels and the spec of the record with this name, and raises its revision.
 */
export interface RecordWrite {
  readonly kind: RecordKind;
  readonly name: string;
  readonly labels: Labels;
  readonly spec: Json;
  readonly updatedBy: string;
  /** for the kind Agent: the id and the state of a new agent; an agent that exists keeps its own */
  readonly newAgent?: { readonly id: AgentId; readonly state: RegisteredAgent['state'] };
}

/** A template version to write. The write puts it in force. */
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
  /** Returns the record, or undefined. */
  record(kind: RecordKind, name: string): Promise<DeclaredRecord | undefined>;
  /** Returns the whole declared state. */
  declared(): Promise<DeclaredState>;
  /** Returns the live leases that may need the connection. */
  liveLeases(connection: string): Promise<LiveLeases>;
  /** Returns the template, or undefined. */
  template(name: string): Promise<TemplateRecord | undefined>;
  /** Returns the published version, or undefined. */
  version(name: string, version: number): Promise<PublishedVersion | undefined>;
  /** Returns the number of the template's next version. */
  nextVersion(name: string): Promise<number>;
}

/** Writes of locked declared state. Each also stores its audit entries. */
interface LockedWrites {
  /** Writes the documents in this order. Locks agents and templates first, in the order in which requests do. */
  write(writes: readonly (RecordWrite | VersionWrite)[], entries: readonly AuditEntry[]): Promise<void>;
  /** Deletes an issuer or a connection. */
  remove(kind: Exclude<RecordKind, 'Agent'>, name: string, entry: AuditEntry): Promise<void>;
  /** Replaces the draft of a template. Creates the template when it does not exist. */
  saveDraft(name: string, draft: EditedDraft, entry: AuditEntry): Promise<void>;
  /** Puts the version in force and removes the draft. */
  publishDraft(version: NewVersion, entry: AuditEntry): Promise<void>;
  /** Retires a template for good. */
  retireTemplate(name: string, entry: AuditEntry): Promise<void>;
}

/** Declared state that nobody else changes while it is locked. */
export interface LockedState extends LockedReads, LockedWrites, LockedChanges, LockedSteps {}

/** Reads of records outside the lock. They throw `unavailable`. */
export interface RecordReader {
  /** Returns the record, or undefined. */
  find(kind: RecordKind, name: string): Promise<DeclaredRecord | undefined>;
  /** Returns one page of the records of a kind, by name. */
  list(kind: RecordKind, page: PageRequest<string>): Promise<Page<DeclaredRecord, string>>;
  /** Returns the whole declared state, read at one instant. */
  state(): Promise<DeclaredState>;
}

/** Reads of templates outside the lock. They throw `unavailable`. */
export interface TemplateReader {
  /** Returns the template, or undefined. */
  find(name: string): Promise<TemplateRecord | undefined>;
  /** Returns one page of all templates, by name. */
  list(page: PageRequest<string>): Promise<Page<TemplateRecord, string>>;
  /** Returns the published version, or undefined. */
  version(name: string, version: number): Promise<PublishedVersion | undefined>;
  /** Returns one page of a template's versions, the newest first. */
  versions(name: string, page: PageRequest<number>): Promise<Page<PublishedVersion, number>>;
}

/** Port: declared state in the database. */
export interface DeclarationStore extends EntrySink {
  readonly records: RecordReader;
  readonly templates: TemplateReader;
  readonly changes: ChangeReader;
  /**
   * Runs `work` in one transaction, under a lock that serializes all changes of declared state over all replicas.
   * Commits when `work` resolves; nothing is written when it rejects. Throws `unavailable`, and the errors of `work`.
   */
  underLock<T>(work: (state: LockedState) => Promise<T>): Promise<T>;
}
