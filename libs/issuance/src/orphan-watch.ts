import { auditEntry, MAYFLY } from '@mayfly/audit';
import { withDeadline } from '@mayfly/credentials';
import { Problem, type Clock, type Json } from '@mayfly/kernel';
import { handleOf } from './lease-handle.js';
import type { ConnectionSource, IssuanceStore, OrphanPlace, OrphanStore, Sealing } from './ports.js';
import type { Targets } from './targets.js';

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
  readonly audit: Pick<IssuanceStore, 'record'>;
  readonly clock: Clock;
  readonly report: (error: unknown) => void;
}

/**
 * Compares what leases have with what is there, where a back end can lose track of what it made: nothing that a
 * revocation could reach any more. What it finds is reported, in the audit once and as a number; somebody has to decide.
 */
export class OrphanWatch {
  private readonly seen = new Map<string, readonly string[]>();
  private readonly known = new Map<string, readonly string[]>();

  constructor(private readonly parts: OrphanWatchParts) {}

  /** Looks everywhere once. A place that cannot be looked at is reported and keeps what was found there last. */
  async round(): Promise<void> {
    await Promise.all(this.parts.places().map((place) => this.look(place).catch(this.parts.report)));
  }

  /** How many orphans are known now, by connection. */
  counts(): ReadonlyMap<string, number> {
    return new Map([...this.known].map(([connection, names]) => [connection, names.length]));
  }

  private async look({ provider: kind, connection, related }: OrphanPlace): Promise<void> {
    const { spec } = this.declared(related);
    const { config } = await this.parts.targets.restore(spec.provider, spec.config);
    const { provider } = await this.parts.targets.restore(kind, this.declared(connection).spec.config);
    const handles = await this.handles(kind);
    const names = await withDeadline(
      LOOK_DEADLINE_SECONDS,
      async (signal) => (await provider.orphans?.({ provider: spec.provider, config }, handles, signal)) ?? [],
    );
    // What a mint under way has just made is known to no lease yet: an orphan is one that is there at two looks.
    const before = this.seen.get(connection) ?? [];
    this.seen.set(connection, names);
    const orphans = names.filter((name) => before.includes(name));
    const news = orphans.filter((name) => !this.known.get(connection)?.includes(name));
    if (news.length > 0) await this.note(connection, related, news, orphans.length);
    this.known.set(connection, orphans);
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
