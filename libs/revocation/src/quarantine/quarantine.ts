import { auditEntry, MAYFLY } from '@mayfly/audit';
import { type Clock, present, Problem } from '@mayfly/kernel';
import { compareEpochs, type Epoch, type QuarantineRecord, type StoredEpoch } from './epoch.js';
import type { EpochRows, EpochStore, OutsideEpoch } from './epoch.store.js';

/** The outside epoch is written at most this often, over all replicas. */
const WRITE_EVERY_MS = 900;
/** Without a comparison for so long, Mayfly issues nothing. */
const PATIENCE_MS = 60_000;

/** The parts that the quarantine works with. */
export interface QuarantineParts {
  /** undefined when no place outside of the database is configured */
  readonly outside: EpochStore | undefined;
  readonly inside: EpochRows;
  readonly clock: Clock;
  readonly newLineage: () => string;
  /** names the server run and the database of the newest session; it changes when a database was put in place of another */
  readonly incarnation: () => string;
  /** writes one line to the operator's log */
  readonly tell: (text: string, facts: Readonly<Record<string, string | number>>) => void;
  /** a clock that never goes back, in milliseconds; default: that of this process */
  readonly monotonicMs?: () => number;
}

/** The state of this process after its last comparison. */
export interface QuarantineStanding {
  readonly state: 'off' | 'open' | 'quarantined';
  readonly record?: QuarantineRecord;
  readonly stored: StoredEpoch;
  readonly outside?: Epoch;
}

/**
 * Notices that the database is older than what this installation has seen, by an epoch outside of it. INVARIANT: I7,
 * such a database issues nothing and ends no object that it does not know, until an operator confirms it.
 */
export class Quarantine {
  private standing: QuarantineStanding | undefined;
  private judged: string | undefined;
  private lastMs: number;
  private running: Promise<QuarantineStanding> | undefined;
  private told = false;

  constructor(private readonly parts: QuarantineParts) {
    this.lastMs = this.nowMs();
  }

  /** Compares the epochs, and lets the outside one follow. Calls at one time share a comparison. Throws `unavailable`. */
  async round(): Promise<QuarantineStanding> {
    this.running ??= this.compare().finally(() => (this.running = undefined));
    return this.running;
  }

  /**
   * Resolves when Mayfly may issue. Throws `quarantined`, or `unavailable` when the epochs could not be compared for 60 s.
   * Compares them first when a session to another database was opened: a restored database has sessions of its own.
   */
  async pass(): Promise<void> {
    if (this.judged !== this.parts.incarnation()) await this.freshRound();
    if (this.standing?.state === 'quarantined') throw quarantined();
    if (this.parts.outside !== undefined && this.ageMs() > PATIENCE_MS) throw notCompared();
  }

  /** Compares now, and returns true when the database may be trusted to know every lease of this installation. */
  async mayEndUnknown(): Promise<boolean> {
    return this.freshRound().then(
      ({ state }) => state !== 'quarantined',
      () => false,
    );
  }

  /** True while the last comparison of this process found a quarantine. */
  get isQuarantined(): boolean {
    return this.standing?.state === 'quarantined';
  }

  /** Milliseconds since the last complete comparison. */
  ageMs(): number {
    return this.nowMs() - this.lastMs;
  }

  /** Reads the outside epoch for a confirmation. Throws `unavailable`. */
  async outsideEpoch(): Promise<Epoch | undefined> {
    return (await this.parts.outside?.read())?.epoch;
  }

  /** Runs a comparison that begins after this call. */
  async freshRound(): Promise<QuarantineStanding> {
    await this.running?.catch(() => undefined);
    return this.round();
  }

  private async compare(): Promise<QuarantineStanding> {
    const { incarnation, outside, inside } = this.parts;
    const session = incarnation();
    const seen = await outside?.read();
    const stored = await inside.read(seen?.epoch.sequence ?? 0);
    const standing = await this.judge(seen, stored);
    this.standing = standing;
    // The first session may have been opened by the read itself.
    this.judged = session === '' ? incarnation() : session;
    this.lastMs = this.nowMs();
    this.tellOnce(standing);
    return standing;
  }

  private async judge(seen: OutsideEpoch | undefined, stored: StoredEpoch): Promise<QuarantineStanding> {
    const epochs = { stored, ...present({ outside: seen?.epoch }) };
    if (stored.quarantine !== undefined) return { state: 'quarantined', record: stored.quarantine, ...epochs };
    const { outside, clock } = this.parts;
    if (outside === undefined) return { state: 'off', ...epochs };
    const verdict = compareEpochs(seen?.epoch, stored);
    if (verdict.kind === 'quarantine') {
      const record = { cause: verdict.cause, expected: seen?.epoch, found: stored.head, since: clock.now() };
      await this.enter(record, stored);
      return { state: 'quarantined', record, ...epochs };
    }
    await this.follow(outside, verdict.kind === 'write' && this.isDue(seen), seen, stored);
    return { state: 'open', ...epochs };
  }

  /** Writes the outside epoch, or notes a write whose process died before it could note it. */
  private async follow(
    outside: EpochStore,
    isDue: boolean,
    seen: OutsideEpoch | undefined,
    stored: StoredEpoch,
  ): Promise<void> {
    if (isDue) await this.write(outside, seen?.version, stored);
    else if (seen !== undefined && seen.epoch.lineage === stored.lineage)
      await this.noteWritten(stored.lineage, stored);
  }

  private async enter(record: QuarantineRecord, { lineage }: StoredEpoch): Promise<void> {
    const { cause, expected, found, since } = record;
    const facts = { cause, found: { lineage: lineage ?? null, ...found }, ...present({ expected }) };
    const entry = auditEntry('quarantine.entered', since, MAYFLY, {}, facts);
    await this.parts.inside.enter({ ...record, lineage }, entry);
  }

  /** An epoch of another lineage is replaced at once; one of this lineage follows at a bounded rate. */
  private isDue(seen: OutsideEpoch | undefined): boolean {
    return seen === undefined || this.parts.clock.now().getTime() - seen.writtenAt.getTime() >= WRITE_EVERY_MS;
  }

  /** INVARIANT: the entry of the epoch was committed before: `stored` is what a committed read returned. */
  private async write(outside: EpochStore, version: string | undefined, stored: StoredEpoch): Promise<void> {
    const { inside, clock, newLineage } = this.parts;
    const lineage = stored.lineage ?? (await inside.adopt(newLineage()));
    if (await outside.write({ lineage, ...stored.head }, clock.now(), version)) await this.noteWritten(lineage, stored);
  }

  private async noteWritten(lineage: string, { isWritten }: StoredEpoch): Promise<void> {
    if (!isWritten) await this.parts.inside.noteWritten(lineage);
  }

  private tellOnce({ state, record }: QuarantineStanding): void {
    const isQuarantined = state === 'quarantined';
    if (isQuarantined === this.told) return;
    this.told = isQuarantined;
    if (record === undefined) this.parts.tell('quarantine: an operator confirmed the database', {});
    else this.parts.tell(QUARANTINE_LINE, factsOf(record));
  }

  private nowMs(): number {
    return (this.parts.monotonicMs ?? (() => performance.now()))();
  }
}

const QUARANTINE_LINE =
  'quarantine: the database is older than what this installation has seen; Mayfly issues nothing until an operator confirms (mayfly quarantine show)';

function factsOf({ cause, found, expected }: QuarantineRecord): Readonly<Record<string, string | number>> {
  return { cause, found: found.sequence, ...present({ expected: expected?.sequence }) };
}

function quarantined(): Problem {
  return new Problem(
    'quarantined',
    'the database is older than what this installation has seen, so nothing is issued; ask an operator to compare the targets and confirm (`mayfly quarantine show`)',
  );
}

function notCompared(): Problem {
  return new Problem(
    'unavailable',
    'Mayfly could not compare the database with its epoch for 60 s; ask an operator to repair the place of MAYFLY_EPOCH_URL',
    { retryAfterSeconds: 5 },
  );
}
