import { type Actor, actorOf, auditEntry, MAYFLY } from '@mayfly/audit';
import type { Principal } from '@mayfly/identity';
import { type Clock, type Json, type JsonObject, newId, present, Problem } from '@mayfly/kernel';
import type { Reconciliation } from '../reconciliation.js';
import type { ReconciliationRecords } from '../reconciliation.store.js';
import type { EpochRows } from './epoch.store.js';
import type { Quarantine, QuarantineStanding } from './quarantine.js';

/** The most reconciliations that one answer links to. */
const MAX_LINKS = 1_000;

/** The parts that the desk works with. */
export interface QuarantineDeskParts {
  readonly quarantine: Quarantine;
  readonly inside: EpochRows;
  readonly records: ReconciliationRecords;
  /** the names of the connections that can be compared with the leases */
  readonly comparable: () => readonly string[];
  readonly clock: Clock;
  readonly newLineage: () => string;
  /** replaces what looks like a secret */
  readonly redact: (text: string) => string;
}

/** Shows a quarantine with the differences at the targets, and ends it when an operator confirms. */
export class QuarantineDesk {
  constructor(private readonly parts: QuarantineDeskParts) {}

  /** Returns state, cause, both epochs and the reconciliations since the quarantine began. Throws `unavailable`. */
  async view(): Promise<JsonObject> {
    const standing = await this.parts.quarantine.freshRound();
    const { state, record, stored, outside } = standing;
    const expected = record === undefined ? outside : record.expected;
    return {
      state,
      ...present({ cause: record?.cause, since: record?.since.toISOString() }),
      ...(expected === undefined ? {} : { expected: { ...expected } }),
      found: { lineage: stored.lineage ?? null, ...(record?.found ?? stored.head) },
      reconciliations: (await this.since(standing)).map(linkOf),
    };
  }

  /**
   * Ends the quarantine: Mayfly issues again, the reconciler ends what carries the mark of this installation and has no
   * lease, and the outside epoch is replaced. Throws `conflict` without a quarantine, and `unavailable` when the outside
   * epoch cannot be read.
   */
  async confirm(caller: Principal, reason: string): Promise<JsonObject> {
    const { quarantine, inside, clock, newLineage, redact } = this.parts;
    const replaced = await quarantine.outsideEpoch();
    const lineage = newLineage();
    const facts = { lineage, reason: redact(reason), ...present({ replaced }) };
    const entry = auditEntry('quarantine.confirmed', clock.now(), actorOf(caller), {}, facts);
    if (!(await inside.confirm({ lineage, replaced }, entry)))
      throw new Problem('conflict', 'the service is not in quarantine; read `GET /quarantine`');
    const view = await this.view();
    await this.requestAll(actorOf(caller));
    return view;
  }

  /** Requests a comparison of each connection that has none since the quarantine began. */
  async report(): Promise<void> {
    if (!this.parts.quarantine.isQuarantined) return;
    const standing = await this.parts.quarantine.round();
    const compared = new Set((await this.since(standing)).map(({ connection }) => connection));
    await this.requestAll(MAYFLY, compared);
  }

  private async requestAll(actor: Actor, but: ReadonlySet<string> = new Set()): Promise<void> {
    for (const connection of this.parts.comparable())
      if (!but.has(connection)) await this.parts.records.request({ id: newId('rcn'), connection, actor });
  }

  private async since({ record }: QuarantineStanding): Promise<readonly Reconciliation[]> {
    if (record === undefined) return [];
    const { items } = await this.parts.records.list({}, { limit: MAX_LINKS });
    return items.filter(({ requestedAt }) => requestedAt >= record.since);
  }
}

function linkOf({ id, connection, state, differences, leftOut }: Reconciliation): Json {
  return { id, connection, state, differences: differences.length + leftOut };
}
