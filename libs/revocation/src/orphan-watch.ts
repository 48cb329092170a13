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
import { addSeconds, type Clock, type Json, Problem } from '@mayfly/kernel';
import type { Difference } from './reconciliation.js';

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
/** Longer than a mint takes to commit the handle of what it made. */
const MINT_SECONDS = 60;
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
  /** logs an error that must not stop the comparison */
  readonly report: (error: unknown) => void;
}

/** The findings of the last scan of one pair. */
interface Findings {
  /** objects without a lease, each with the instant of the first scan that found it */
  readonly names: ReadonlyMap<string, Date>;
  /** the names that are orphans */
  readonly orphans: readonly string[];
}

/** One connection may be scanned through several databases. */
const keyOf = ({ connection, related }: OrphanPlace): string => JSON.stringify([connection, related]);

/**
 * Finds objects that a back end lost track of and that only another connection shows, by comparing them with the
 * handles of leases. No revocation can reach such an object, so the watch only reports it. Each process audits a new
 * orphan once.
 */
export class OrphanWatch {
  private readonly found = new Map<string, Findings>();

  constructor(private readonly parts: OrphanWatchParts) {}

  /** The connections that have a pair to scan. */
  get connections(): ReadonlySet<string> {
    return new Set(this.parts.places().map(({ connection }) => connection));
  }

  /**
   * Scans each pair of a connection once, and returns its orphans. A failed scan is reported, keeps the last findings
   * and is a difference itself; a pair that no template names any more is forgotten.
   */
  async look(connection: string): Promise<readonly Difference[]> {
    const places = this.parts.places();
    const wanted = new Set(places.map(keyOf));
    for (const key of this.found.keys()) if (!wanted.has(key)) this.found.delete(key);
    const scans = places.filter((place) => place.connection === connection).map((place) => this.differences(place));
    return (await Promise.all(scans)).flat();
  }

  private async differences(place: OrphanPlace): Promise<readonly Difference[]> {
    const detail = `only connection \`${place.related}\` shows it, and no revocation reaches it; remove it there by hand`;
    const failure = await this.scan(place).then(
      () => [],
      (error: unknown) => [this.notScanned(place, error)],
    );
    const orphans = this.found.get(keyOf(place))?.orphans ?? [];
    return [
      ...orphans.map((object): Difference => ({ kind: 'orphan', action: 'reported', object, detail })),
      ...failure,
    ];
  }

  private notScanned({ related }: OrphanPlace, error: unknown): Difference {
    this.parts.report(error);
    const detail = `connection \`${related}\` could not be searched for orphans; test it`;
    return { kind: 'not_compared', action: 'reported', detail };
  }

  private async scan(place: OrphanPlace): Promise<void> {
    const { provider: kind, connection, related } = place;
    const { spec } = this.declared(related);
    const { config } = await this.parts.targets.restore(spec.provider, spec.config);
    const { provider } = await this.parts.targets.restore(kind, this.declared(connection).spec.config);
    const handles = await this.handles(kind);
    const unknown = await withDeadline(
      LOOK_DEADLINE_SECONDS,
      async (signal) =>
        (await reconcilable(provider)?.orphans({ provider: spec.provider, config }, handles, signal)) ?? [],
    );
    await this.compare(place, unknown);
  }

  /** A running mint may have made an object before its handle is known, so an orphan was seen a while ago already. */
  private async compare(place: OrphanPlace, unknown: readonly string[]): Promise<void> {
    const key = keyOf(place);
    const before = this.found.get(key);
    const now = this.parts.clock.now();
    const names = new Map(unknown.map((name) => [name, before?.names.get(name) ?? now]));
    const known = addSeconds(now, -MINT_SECONDS);
    const orphans = unknown.filter((name) => (names.get(name) ?? now) <= known);
    const news = orphans.filter((name) => !before?.orphans.includes(name));
    this.found.set(key, { names, orphans: before?.orphans ?? [] });
    if (news.length > 0) await this.note(place, news, orphans.length);
    this.found.set(key, { names, orphans });
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

  private async note({ connection, related }: OrphanPlace, names: readonly string[], total: number): Promise<void> {
    const facts = { connection, seenThrough: related, total, names: names.slice(0, MAX_NAMES) };
    await this.parts.audit.record([auditEntry('target.orphaned', this.parts.clock.now(), MAYFLY, {}, facts)]);
  }
}
