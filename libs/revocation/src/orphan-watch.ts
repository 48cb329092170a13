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

/** Port: the leases whose handles are compared with the objects at a back end. */
export interface OrphanStore {
  /**
   * Returns the leases of this provider that have not ended, or ended within the last minutes, however many there are.
   * Throws `unavailable`.
   */
  lately(provider: string): Promise<readonly SealedLease[]>;
}

/**
 * A pair of connections to scan for orphans: credentials are minted at `connection` and are visible through `related`.
 */
export interface OrphanPlace {
  readonly provider: string;
  readonly connection: string;
  readonly related: string;
}

const LOOK_DEADLINE_SECONDS = 20;
/** The number of names in one audit entry. Its `total` counts all orphans. */
const MAX_NAMES = 50;

/** The parts that the orphan watch works with. */
export interface OrphanWatchParts {
  /** the pairs to scan, from the templates in force */
  readonly places: () => readonly OrphanPlace[];
  readonly store: OrphanStore;
  readonly connections: ConnectionSource;
  readonly targets: Targets;
  readonly sealing: Sealing;
  readonly audit: EntrySink;
  readonly clock: Clock;
  /** logs an error that must not stop the round */
  readonly report: (error: unknown) => void;
}

/** The findings of the last scan of one pair. */
interface Findings {
  readonly connection: string;
  /** objects without a lease */
  readonly names: readonly string[];
  /** the names that the scan before found too */
  readonly orphans: readonly string[];
}

/** One connection may be scanned through several databases. */
const keyOf = ({ connection, related }: OrphanPlace): string => JSON.stringify([connection, related]);

/**
 * Finds objects that a back end lost track of, by comparing them with the handles of leases. No revocation can reach
 * such an object, so the watch only reports it. Each process audits a new orphan once and exports the number of
 * orphans.
 */
export class OrphanWatch {
  private readonly found = new Map<string, Findings>();

  constructor(private readonly parts: OrphanWatchParts) {}

  /**
   * Scans each pair once. A failed scan is reported and keeps the last findings; a pair that no template names any more
   * is forgotten.
   */
  async round(): Promise<void> {
    const places = this.parts.places();
    const wanted = new Set(places.map(keyOf));
    for (const key of this.found.keys()) if (!wanted.has(key)) this.found.delete(key);
    await Promise.all(places.map((place) => this.look(place).catch(this.parts.report)));
  }

  /** The number of known orphans, by connection. */
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
    // A running mint may have made an object before its lease is known, so an orphan must appear in two scans.
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
    if (declared === undefined)
      throw new Problem('provider_rejected', `there is no connection \`${name}\`; declare it`);
    return declared;
  }

  private async note(connection: string, seenThrough: string, names: readonly string[], total: number): Promise<void> {
    const facts = { connection, seenThrough, total, names: names.slice(0, MAX_NAMES) };
    await this.parts.audit.record([auditEntry('target.orphaned', this.parts.clock.now(), MAYFLY, {}, facts)]);
  }
}
