import type { Clock, JsonObject } from '@mayfly/kernel';
import { auditEntry, MAYFLY, type Actor, type AuditEntry, type AuditSubject, type KeptDecision } from './entry.js';
import type { EntryFacts } from './entry-facts.js';
import { EntryWindows, type Attempt, type Suppressed } from './entry-windows.js';

const WINDOWS = { seconds: 60, maxGroups: 5_000, maxMembers: 10_000 };

/**
 * The most entries in one minute for one reason: of one declared caller (`perCaller`), of all unknown callers together
 * (`strangers`), and of one unknown caller (`perStranger`).
 */
export const DENIAL_LIMITS = { perCaller: 100, strangers: 50, perStranger: 10 };

/** Port: writes entries of events that change no state. */
export interface EntrySink {
  /** Writes the entries in one commit. Throws `unavailable`. */
  record(entries: readonly AuditEntry[]): Promise<void>;
}

/** Port: receives each summary of counted denials. */
export type SummaryListener = (summary: JsonObject) => void;

/** The types of entries that record a refusal. */
export type DenialType = 'identity.refused' | 'request.forbidden' | 'task.denied' | 'operation.denied';

/** A refusal. `group` holds the bounded facts under which a denial without its own entry is counted. */
export interface Denial<Type extends DenialType = DenialType> extends Omit<Attempt, 'group'> {
  readonly type: Type;
  readonly actor: Actor;
  readonly subject: AuditSubject;
  readonly facts: Exclude<EntryFacts<Type>, { count: number }>;
  readonly group: Readonly<Record<string, string>>;
  /** the record to write with the entry; a counted denial has none */
  readonly decision?: KeptDecision;
}

/**
 * Writes the denials of this process to the audit: the first ones of each group and minute with all their facts, then
 * one entry of the same type with the exact number of the others (`count`) and their first and last instant (`from`,
 * `to`).
 */
export class DenialLog {
  private readonly windows = new EntryWindows(WINDOWS);
  private readonly underWay = new Set<Promise<void>>();

  constructor(
    private readonly sink: EntrySink,
    private readonly clock: Clock,
    private readonly listener: SummaryListener = () => undefined,
  ) {}

  /** True when the denial gets its own entry, which the caller then writes with `write`; otherwise counts it. */
  admit(denial: Denial): boolean {
    return this.windows.admit(this.clock.now(), attemptOf(denial));
  }

  /** Writes an admitted denial. Rejects with the sink's error and then counts the denial instead. */
  async write(denial: Denial): Promise<void> {
    const now = this.clock.now();
    const { type, actor, subject, facts, decision } = denial;
    await this.sink.record([auditEntry(type, now, actor, subject, facts, decision)]).catch((error: unknown) => {
      this.windows.count(now, attemptOf(denial));
      throw error;
    });
  }

  /** Writes or counts a denial. Rejects with the sink's error. */
  async record(denial: Denial): Promise<void> {
    if (this.admit(denial)) await this.write(denial);
  }

  /** Writes an admitted denial without delaying the answer to the caller. Counts the denial when the write fails. */
  writeLater(denial: Denial): void {
    const writing: Promise<void> = this.write(denial)
      .catch(() => undefined)
      .finally(() => this.underWay.delete(writing));
    this.underWay.add(writing);
  }

  /** Writes the counts of finished minutes, or of `all`. Rejects with the sink's error and then keeps the counts. */
  async flush(until: 'now' | 'all' = 'now'): Promise<void> {
    if (until === 'all') await Promise.all(this.underWay);
    const now = this.clock.now();
    const suppressed = this.windows.take(until === 'all' ? 'all' : now);
    if (suppressed.length === 0) return;
    await this.sink.record(suppressed.map((one) => summaryEntry(one, now))).catch((error: unknown) => {
      this.windows.putBack(suppressed);
      throw error;
    });
    for (const one of suppressed) this.listener({ ...one.group, ...countOf(one) });
  }
}

/** The group contains the agent, so that each agent has its own count. */
function attemptOf({ type, subject, group, limit, member }: Denial): Attempt {
  const agent = subject.agent === undefined ? {} : { agent: subject.agent };
  return { group: { ...group, ...agent, type }, limit, ...(member === undefined ? {} : { member }) };
}

function summaryEntry(suppressed: Suppressed, now: Date): AuditEntry {
  const { type, agent, ...group } = suppressed.group;
  const subject = agent === undefined ? {} : { agent };
  const facts = { ...group, ...countOf(suppressed) } as EntryFacts<DenialType>;
  return auditEntry(type as DenialType, now, MAYFLY, subject, facts);
}

function countOf({ count, from, to }: Suppressed): JsonObject {
  return { count, from: from.toISOString(), to: to.toISOString() };
}
