import { auditEntry, type EntrySink, MAYFLY } from '@mayfly/audit';
import {
  type ConnectionSource,
  handleOf,
  reconcilable,
  type SealedLease,
  type Sealing,
  type Targets,
  withDeadline,
} from '@mayfly/credentials';
import { type Clock, type Json, Problem } from '@mayfly/kernel';

/** What leases say they have, for comparing it with what is there. */
export interface OrphanStore {
  /** All leases of this kind that have not ended, or ended within the last minutes. Throws `unavailable` when there are too many. */
  lately(provider: string): Promise<readonly SealedLease[]>;
}

/** Somewhere that orphans can be looked for: a connection, and another one that sees what is there. */
export interface OrphanPlace {
  readonly provider: string;
  readonly connection: string;
  readonly related: string;
}

const LOOK_DEADLINE_SECONDS = 20;
/** Names told in one entry; the count is of all. */
const MAX_NAMES = 50;

export interface OrphanWatchParts {
  /** where to look: what the templates in force use */
  readonly places: () => readonly OrphanPlace[];
  readonly store: OrphanStore;
  readonly connections: ConnectionSource;
  readonly targets: Targets;
  readonly sealing: Sealing;
  readonly audit: EntrySink;
  readonly clock: Clock;
  readonly report: (error: unknown) => void;
}

/** What the last look at a place found. */
interface Findings {
  readonly connection: string;
  /** no lease knows them */
  readonly names: readonly string[];
  /** those of them that were there at the look before as well */
  readonly orphans: readonly string[];
}

/** One connection may be looked at through several databases. */
const keyOf = ({ connection, related }: OrphanPlace): string => JSON.stringify([connection, related]);

/**
 * Compares what leases have with what is there, where a back end can lose track of what it made: nothing that a
 * revocation could reach any more. What it finds is reported, in the audit once for each process that looks and as a number; somebody has to decide.
 */
export class OrphanWatch {
  private readonly found = new Map<string, Findings>();

  constructor(private readonly parts: OrphanWatchParts) {}

  /**
   * Looks everywhere once. A place that cannot be looked at is reported and keeps what was found there last; one that no
   * template names any more is forgotten.
   */
  async round(): Promise<void> {
    const places = this.parts.places();
    const wanted = new Set(places.map(keyOf));
    for (const key of this.found.keys()) if (!wanted.has(key)) this.found.delete(key);
    await Promise.all(places.map((place) => this.look(place).catch(this.parts.report)));
  }

  /** How many orphans are known now, by connection. */
  counts(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { connection, orphans } of this.found.values()) {
      counts.set(connection, (counts.get(connection) ?? 0) + orphans.length);
    }
    return counts;
  }

  private async look(place: OrphanPlace): Promise<void> {
    const { provider: kind, connection, related } = place;
    const { spec } = this.declared(related);
    const { config } = await this.parts.targets.restore(spec.provider, spec.config);
    const { provider } = await this.parts.targets.restore(kind, this.declared(connection).spec.config);
    const handles = await this.handles(kind);
    const names = await withDeadline(
      LOOK_DEADLINE_SECONDS,
      async (signal) =>
        (await reconcilable(provider)?.orphans({ provider: spec.provider, config }, handles, signal)) ?? [],
    );
    // What a mint under way has just made is known to no lease yet: an orphan is one that is there at two looks.
    const before = this.found.get(keyOf(place));
    const orphans = names.filter((name) => before?.names.includes(name));
    const news = orphans.filter((name) => !before?.orphans.includes(name));
    this.found.set(keyOf(place), { connection, names, orphans: before?.orphans ?? [] });
    if (news.length > 0) await this.note(connection, related, news, orphans.length);
    this.found.set(keyOf(place), { connection, names, orphans });
  }

  private async handles(kind: string): Promise<readonly Json[]> {
    return (await this.parts.store.lately(kind)).map((lease) => handleOf(this.parts.sealing, lease));
  }

  private declared(name: string) {
    const declared = this.parts.connections.find(name);
    if (declared === undefined) throw new Problem('provider_rejected', `there is no connection \`${name}\``);
    return declared;
  }

  private async note(connection: string, seenThrough: string, names: readonly string[], total: number): Promise<void> {
    const facts = { connection, seenThrough, total, names: names.slice(0, MAX_NAMES) };
    await this.parts.audit.record([auditEntry('target.orphaned', this.parts.clock.now(), MAYFLY, {}, facts)]);
  }
}
