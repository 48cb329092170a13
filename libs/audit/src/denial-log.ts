import type { Clock, JsonObject } from '@mayfly/kernel';
import { auditEntry, MAYFLY, type Actor, type AuditEntry, type AuditSubject } from './entry.js';
import type { EntryFacts } from './entry-facts.js';
import { EntryWindows, type Attempt, type Suppressed } from './entry-windows.js';

const WINDOWS = { seconds: 60, maxGroups: 5_000, maxMembers: 10_000 };

/** Entries in one minute: of what one declared caller is refused for one reason, and of all who stand for nobody. */
export const DENIAL_LIMITS = { perCaller: 100, strangers: 50, perStranger: 10 };

/** Port: where entries are written that belong to no change of state. */
export interface EntrySink {
  record(entries: readonly AuditEntry[]): Promise<void>;
}

/** Port: what else is told of the refusals that have no entry of their own. */
export type SummaryListener = (summary: JsonObject) => void;

/** The kinds of entries that tell a refusal. */
export type DenialType = 'identity.refused' | 'request.forbidden' | 'task.denied';

/** A refusal, and what it is counted under when it has no entry of its own: `group` holds facts of it, all bounded. */
export interface Denial<Type extends DenialType = DenialType> extends Omit<Attempt, 'group'> {
  readonly type: Type;
  readonly actor: Actor;
  readonly subject: AuditSubject;
  readonly facts: Exclude<EntryFacts<Type>, { count: number }>;
  readonly group: Readonly<Record<string, string>>;
}

/**
 * The denials of this process in the audit: the first of each group in a minute with all their facts, then one entry of
 * the same type that has their exact number (`count`) and first and last instant (`from`, `to`).
 */
export class DenialLog {
  private readonly windows = new EntryWindows(WINDOWS);
  private readonly underWay = new Set<Promise<void>>();

  constructor(
    private readonly sink: EntrySink,
    private readonly clock: Clock,
    private readonly listener: SummaryListener = () => undefined,
  ) {}

  /** Whether the denial has an entry of its own, to be written by `write`; otherwise it is counted now. */
  admit(denial: Denial): boolean {
    return this.windows.admit(this.clock.now(), attemptOf(denial));
  }

  /** Writes an admitted denial. Rejects as the sink does; the denial is counted then. */
  async write(denial: Denial): Promise<void> {
    const now = this.clock.now();
    const { type, actor, subject, facts } = denial;
    await this.sink.record([auditEntry(type, now, actor, subject, facts)]).catch((error: unknown) => {
      this.windows.count(now, attemptOf(denial));
      throw error;
    });
  }

  /** Writes or counts a denial. Rejects as the sink does. */
  async record(denial: Denial): Promise<void> {
    if (this.admit(denial)) await this.write(denial);
  }

  /** Writes an admitted denial while its caller is answered already. What cannot be written is counted. */
  writeLater(denial: Denial): void {
    const writing: Promise<void> = this.write(denial)
      .catch(() => undefined)
      .finally(() => this.underWay.delete(writing));
    this.underWay.add(writing);
  }

  /** Writes the counts of the minutes that are over, or `all`. Rejects as the sink does; the counts are kept then. */
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

/** The agent is in the group, so that it has a count of its own. */
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
