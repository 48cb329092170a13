import type { Page, PageRequest, TaskId } from '@mayfly/kernel';

/** The filter of an auditor's query; members are combined with "and". Times are half open: `from` ≤ at < `to`. */
export interface AuditFilter {
  readonly type?: string | undefined;
  readonly taskId?: string | undefined;
  /** the agent's name */
  readonly agent?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** The log of every entry: there is one. A number names an entry only together with its log. */
export const ONLY_LOG = 0;

/** An audit entry of one task. `body` is the canonical JSON that the leaf hash covers. */
export interface StoryEntry {
  /** the log that numbers the entry */
  readonly log: number;
  /** the sequence number; absent until it is assigned */
  readonly seq?: number;
  readonly body: string;
}

/** The position of an entry in the audit order: the batch that wrote it, then its place in the batch. */
export interface StoryPosition {
  /** an unsigned integer of 63 bits */
  readonly batch: string;
  readonly place: number;
}

/** An entry with its number in its log; `leafHash` is SHA-256(0x00 ‖ body), RFC 6962 §2.1. */
export interface SealedEntry {
  readonly log: number;
  readonly seq: number;
  readonly leafHash: Buffer;
  readonly body: string;
}

/**
 * The platform team's filter for refused identities; members are combined with "and". `issuer` is the value in the
 * entry.
 */
export interface RefusalFilter {
  readonly reason?: string | undefined;
  readonly issuer?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** The position of an entry by time. In microseconds, because a JavaScript `Date` would skip entries. */
export interface InstantPosition {
  readonly at: string;
  readonly id: string;
}

/** Port: reads of the audit. They throw `unavailable`. */
export interface AuditHistory {
  /** Returns the entries of one task in audit order, also those without a sequence number. */
  story(taskId: TaskId, page: PageRequest<StoryPosition>): Promise<Page<StoryEntry, StoryPosition>>;
  /** Returns the bodies of the entries on refused identities, newest first, also those without a sequence number. */
  refusals(filter: RefusalFilter, page: PageRequest<InstantPosition>): Promise<Page<string, InstantPosition>>;
  /** Returns the entries with a sequence number above `after`, in sequence. */
  entries(filter: AuditFilter, page: PageRequest<number>): Promise<Page<SealedEntry, number>>;
}
