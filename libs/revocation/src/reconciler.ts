import { auditEntry, type AuditEntry, MAYFLY } from '@mayfly/audit';
import { type Connection, enumerable, type ProviderRegistry } from '@mayfly/credentials';
import { type Clock, digestOf, newId, present, Problem } from '@mayfly/kernel';
import type { Endings, OrphanEnding } from './orphan-ending.js';
import type { OrphanWatch } from './orphan-watch.js';
import type { Difference } from './reconciliation.js';
import type { ReconciliationTurn, ReconciliationTurns, TurnResult } from './reconciliation.store.js';
import type { OwnOrphan, TargetComparison } from './target-comparison.js';

/** A turn outlasts the list, the endings and the commit, so that no two processes compare one connection at once. */
const TURN_SECONDS = 180;
/** A reconciliation fails when the processes that began it stopped this often. */
const MAX_ATTEMPTS = 3;
/** The most differences that one row records. */
const MAX_DIFFERENCES = 1_000;
/** The most names in one audit entry. */
const MAX_NAMES = 50;
/** The connections that a scheduled round compares at once. */
const CONNECTIONS_AT_ONCE = 8;

/** The parts that the reconciler works with. */
export interface ReconcilerParts {
  readonly turns: ReconciliationTurns;
  readonly comparison: Pick<TargetComparison, 'compare'>;
  /** the declared connections in force */
  readonly connections: () => readonly Connection[];
  readonly providers: Pick<ProviderRegistry, 'find'>;
  readonly ending: Pick<OrphanEnding, 'endAll'>;
  readonly orphans: Pick<OrphanWatch, 'connections'>;
  /** false in quarantine: an object that the database does not know may belong to a lease that it has lost */
  readonly mayEndUnknown: () => Promise<boolean>;
  readonly clock: Clock;
  /** logs an error that must not stop the round */
  readonly report: (error: unknown) => void;
}

/**
 * Compares the objects at targets with the database, on request and on a schedule, by the same steps. Ends what carries
 * the mark of this installation and belongs to no living lease; reports every other difference.
 */
export class Reconciler {
  /** the differences that the last comparison of this process left at each connection */
  private readonly left = new Map<string, number>();
  /** the connections whose last scheduled comparison failed: only the first failure is reported */
  private readonly failing = new Set<string>();

  constructor(private readonly parts: ReconcilerParts) {}

  /** Compares every connection that can be compared, once. Skips one that another process compares now. */
  async round(): Promise<void> {
    const connections = this.comparable();
    const names = new Set(connections.map(({ name }) => name));
    for (const name of this.left.keys()) if (!names.has(name)) this.left.delete(name);
    for (let at = 0; at < connections.length; at += CONNECTIONS_AT_ONCE) {
      const some = connections.slice(at, at + CONNECTIONS_AT_ONCE);
      await Promise.all(some.map((connection) => this.compareQuietly(connection)));
    }
  }

  /** Carries out the oldest reconciliation that waits. Returns false when none waits. Throws `unavailable`. */
  async runRequested(): Promise<boolean> {
    const turn = await this.parts.turns.takeRequested(TURN_SECONDS);
    if (turn === undefined) return false;
    await this.parts.turns.settle(turn, await this.requestedResult(turn));
    return true;
  }

  /** The number of objects that no lease explains and that were not ended, by connection. */
  counts(): ReadonlyMap<string, number> {
    return new Map(this.left);
  }

  /** Returns the enabled connections whose objects can be compared with the leases. */
  comparable(): readonly Connection[] {
    const { orphans, providers } = this.parts;
    const scanned = orphans.connections;
    return this.parts.connections().filter(({ name, spec, disabled }) => {
      const provider = providers.find(spec.provider);
      const canList = provider !== undefined && enumerable(provider) !== undefined;
      return disabled !== true && (canList || scanned.has(name));
    });
  }

  private async compareQuietly(connection: Connection): Promise<void> {
    const { turns, report } = this.parts;
    const turn = await turns.take(connection.name, TURN_SECONDS);
    if (turn === undefined) return;
    try {
      await turns.settle(turn, await this.compareIn(turn, connection));
      this.failing.delete(connection.name);
    } catch (error) {
      if (!this.failing.has(connection.name)) report(error);
      this.failing.add(connection.name);
      await turns.settle(turn, { seen: turn.seen, entries: [] });
    }
  }

  private async requestedResult(turn: ReconciliationTurn): Promise<TurnResult> {
    const connection = this.parts.connections().find(({ name }) => name === turn.connection);
    if (connection === undefined || connection.disabled === true) return this.failed(turn, NOT_ENABLED);
    if ((turn.requested?.attempts ?? 0) > MAX_ATTEMPTS) return this.failed(turn, DIED);
    try {
      return await this.compareIn(turn, connection);
    } catch (error) {
      if (error instanceof Problem && error.code === 'unavailable') throw error;
      this.parts.report(error);
      return this.failed(turn, error instanceof Problem ? error.detail : FAILED);
    }
  }

  private async compareIn(turn: ReconciliationTurn, connection: Connection): Promise<TurnResult> {
    const { ownOrphans, reported } = await this.parts.comparison.compare(connection);
    const { differences: endings, entries } = await this.endOrHold(turn, connection, ownOrphans);
    const differences = [...endings, ...reported];
    this.left.set(connection.name, differences.filter(isLeft).length);
    const seen = seenIn(differences);
    const isNews = differences.some(isChange) || (seen !== '' && seen !== turn.seen);
    if (turn.requested === undefined && !isNews) return { seen, entries };
    const id = turn.requested?.id ?? newId('rcn');
    const row = { id, state: 'done', ...bounded(differences) } as const;
    return {
      seen,
      row,
      entries: [...entries, ...this.reports(connection.name, differences), this.finished(turn, row, differences)],
    };
  }

  /** Ends the orphans; in quarantine only reports them. Asks after the comparison, which may have read a restored database. */
  private async endOrHold(
    turn: ReconciliationTurn,
    connection: Connection,
    orphans: readonly OwnOrphan[],
  ): Promise<Endings> {
    if (orphans.length === 0 || (await this.parts.mayEndUnknown()))
      return this.parts.ending.endAll(turn, connection, orphans);
    return { differences: orphans.map((one) => ({ ...one, action: 'reported', detail: HELD })), entries: [] };
  }

  private failed(turn: ReconciliationTurn, error: string): TurnResult {
    const id = turn.requested?.id ?? newId('rcn');
    const row = { id, state: 'failed', differences: [], leftOut: 0, error } as const;
    return { seen: turn.seen, row, entries: [this.finished(turn, row, [])] };
  }

  private reports(connection: string, differences: readonly Difference[]): readonly AuditEntry[] {
    const names = differences.filter(isReportedHere).flatMap(({ object }) => object ?? []);
    if (names.length === 0) return [];
    const facts = { connection, seenThrough: connection, total: names.length, names: names.slice(0, MAX_NAMES) };
    return [auditEntry('target.orphaned', this.parts.clock.now(), MAYFLY, {}, facts)];
  }

  private finished(
    { connection }: ReconciliationTurn,
    { id: reconciliation, state, error }: NonNullable<TurnResult['row']>,
    differences: readonly Difference[],
  ): AuditEntry {
    const count = (action: Difference['action']): number => differences.filter((one) => one.action === action).length;
    const changed = { ended: count('ended'), repaired: count('repaired') };
    const counts = { ...changed, notEnded: count('not_ended'), reported: count('reported') };
    const facts = { reconciliation, connection, state, ...counts, ...present({ error }) };
    return auditEntry('reconciliation.finished', this.parts.clock.now(), MAYFLY, {}, facts);
  }
}

const HELD = 'the service is in quarantine, or cannot tell; after the confirmation the next reconciliation ends it';
const NOT_ENABLED = 'the connection was deleted or disabled; declare or enable it';
const DIED = 'the process stopped during each attempt; read its log, then ask again';
const FAILED = 'Mayfly failed during the comparison; read its log, then ask again';

const LEFT: ReadonlySet<Difference['kind']> = new Set(['unmarked', 'orphan', 'unknown_lease', 'ended_lease']);

/** True for an object at the target that no lease explains, that was not ended, and that is not another installation's. */
function isLeft({ kind, action }: Difference): boolean {
  return action === 'not_ended' || (action === 'reported' && LEFT.has(kind));
}

/** True for a difference that the reconciliation removed: it is news each time. */
function isChange({ action }: Difference): boolean {
  return action === 'ended' || action === 'repaired';
}

/** `OrphanWatch` audits the orphans that only another connection shows. */
function isReportedHere({ kind }: Difference): boolean {
  return kind === 'unmarked' || kind === 'other_mark';
}

/**
 * Returns a digest of the differences, so that a scheduled comparison records them once and not in every round. Leaves
 * out the objects of other installations, which change all the time.
 */
function seenIn(differences: readonly Difference[]): string {
  const known = differences
    .filter((difference) => difference.kind !== 'other_mark' && !isChange(difference))
    .map(({ kind, object = null, leaseId = null }) => [kind, object, leaseId]);
  return known.length === 0 ? '' : digestOf(known);
}

function bounded(differences: readonly Difference[]) {
  const shown = differences.slice(0, MAX_DIFFERENCES);
  return { differences: shown, leftOut: differences.length - shown.length };
}
