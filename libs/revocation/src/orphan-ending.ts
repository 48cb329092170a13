import { auditEntry, type AuditEntry, MAYFLY } from '@mayfly/audit';
import { type Connection, enumerable, type RevocationOutcome, type Targets, withDeadline } from '@mayfly/credentials';
import { type Clock, present, Problem } from '@mayfly/kernel';
import type { Difference } from './reconciliation.js';
import type { ReconciliationTurn, ReconciliationTurns } from './reconciliation.store.js';
import type { OwnOrphan } from './target-comparison.js';

const END_DEADLINE_SECONDS = 10;
/** The time in which one comparison begins to end objects. The next comparison ends the others. */
const ENDING_SECONDS = 90;
const ENDINGS_AT_ONCE = 8;
/** The most objects that one comparison ends. */
const MAX_ENDINGS = 500;

/** The parts that the ending of orphans works with. */
export interface OrphanEndingParts {
  readonly turns: Pick<ReconciliationTurns, 'note'>;
  readonly targets: Pick<Targets, 'restore'>;
  readonly clock: Clock;
}

/** The results of the calls: one difference for each object, and one entry for each object that is proven ended. */
export interface Endings {
  readonly differences: readonly Difference[];
  readonly entries: readonly AuditEntry[];
}

/** Ends objects that carry the mark of this installation and that no living lease explains. */
export class OrphanEnding {
  constructor(private readonly parts: OrphanEndingParts) {}

  /**
   * Ends the objects, as many as the time allows. Throws `provider_unavailable` when the turn has lapsed, before any
   * call. INVARIANT: I1, the intent to end an object is committed before the call that ends it.
   */
  async endAll(turn: ReconciliationTurn, connection: Connection, orphans: readonly OwnOrphan[]): Promise<Endings> {
    if (orphans.length === 0) return { differences: [], entries: [] };
    const [now, later] = [orphans.slice(0, MAX_ENDINGS), orphans.slice(MAX_ENDINGS)];
    const intents = now.map((orphan) => {
      const facts = factsOf(connection, orphan);
      return auditEntry('orphan.ending', this.parts.clock.now(), MAYFLY, { leaseId: orphan.leaseId }, facts);
    });
    if (!(await this.parts.turns.note(turn, intents))) throw new Problem('provider_unavailable', LAPSED);
    const until = performance.now() + ENDING_SECONDS * 1000;
    const differences: Difference[] = [];
    const entries: AuditEntry[] = [];
    for (let at = 0; at < now.length; at += ENDINGS_AT_ONCE) {
      const some = now.slice(at, at + ENDINGS_AT_ONCE);
      const isLate = performance.now() > until;
      const results = isLate ? some.map(postponed) : await Promise.all(some.map((one) => this.end(connection, one)));
      differences.push(...results.map(({ difference }) => difference));
      entries.push(...results.flatMap(({ entry }) => entry ?? []));
    }
    return { differences: [...differences, ...later.map((one) => postponed(one).difference)], entries };
  }

  /** INVARIANT: I4, an object is `ended` only with the proof of its provider. */
  private async end(connection: Connection, orphan: OwnOrphan): Promise<Ending> {
    const outcome = await this.call(connection, orphan);
    if (outcome.kind === 'impossible') return notEnded(orphan, 'it lives to its own expiry');
    if (outcome.kind === 'unknown' || outcome.kind === 'not_yet') return notEnded(orphan, outcome.detail);
    const now = this.parts.clock.now();
    const { effectiveAt = now, remains } = outcome;
    const facts = { ...factsOf(connection, orphan), effectiveAt: effectiveAt.toISOString(), ...present({ remains }) };
    const { kind, object, leaseId } = orphan;
    return {
      difference: { kind, action: 'ended', object, leaseId, detail: remains },
      entry: auditEntry('orphan.ended', now, MAYFLY, { leaseId }, facts),
    };
  }

  private async call({ spec }: Connection, { object }: OwnOrphan): Promise<RevocationOutcome> {
    try {
      const { provider, config } = await this.parts.targets.restore(spec.provider, spec.config);
      return await withDeadline(
        END_DEADLINE_SECONDS,
        async (signal) => (await enumerable(provider)?.endObject(config, object, signal)) ?? { kind: 'impossible' },
      );
    } catch (error) {
      return { kind: 'unknown', detail: error instanceof Problem ? error.detail : FAILED };
    }
  }
}

interface Ending {
  readonly difference: Difference;
  readonly entry?: AuditEntry;
}

const LAPSED = 'the comparison took too long, and another process may compare the connection now; ask again';
const FAILED = 'the provider failed unexpectedly; the next reconciliation tries again';
const LATER = 'there was no time to end it; the next reconciliation ends it';

function factsOf({ name: connection }: Connection, { object, kind: cause }: OwnOrphan) {
  return { connection, object, cause };
}

function notEnded({ kind, object, leaseId }: OwnOrphan, detail: string): Ending {
  return { difference: { kind, action: 'not_ended', object, leaseId, detail } };
}

function postponed(orphan: OwnOrphan): Ending {
  return notEnded(orphan, LATER);
}
