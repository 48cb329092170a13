import {
  configOf,
  type Connection,
  enumerable,
  type SealedLease,
  type Sealing,
  type TargetObject,
  type TargetObjects,
  type Targets,
  withDeadline,
} from '@mayfly/credentials';
import { canonicalJson, type LeaseId } from '@mayfly/kernel';
import { DenialComparison } from './denial-comparison.js';
import type { OrphanWatch } from './orphan-watch.js';
import type { Difference } from './reconciliation.js';
import type { ComparedLeases, LeaseStanding } from './reconciliation.store.js';

const LIST_DEADLINE_SECONDS = 30;

/** An object that Mayfly made and that no living lease explains: it has to be ended. */
export interface OwnOrphan {
  readonly object: string;
  readonly leaseId: LeaseId;
  readonly kind: 'unknown_lease' | 'ended_lease';
}

/** The differences between a target and the database. */
export interface Comparison {
  readonly ownOrphans: readonly OwnOrphan[];
  /** the differences that are only reported */
  readonly reported: readonly Difference[];
}

/** The parts that a comparison works with. */
export interface ComparisonParts {
  readonly leases: ComparedLeases;
  readonly targets: Pick<Targets, 'restore'>;
  readonly sealing: Sealing;
  readonly orphans: Pick<OrphanWatch, 'look'>;
}

/**
 * Compares the objects and the denials at the target of a connection with the leases, both ways. Changes no object;
 * writes missing denials again.
 */
export class TargetComparison {
  private readonly denials: DenialComparison;

  constructor(private readonly parts: ComparisonParts) {
    this.denials = new DenialComparison(parts);
  }

  /**
   * Returns the differences. Throws `Problem` when the target or the database cannot be read.
   *
   * INVARIANT: I1, the database is read before the target and again after it. An object in the list had its intent
   * committed before it existed, so the later read knows its lease, also while its mint is still in progress. A lease
   * that was active before the list was made, and is active after it, must have its object in the list.
   */
  async compare(connection: Connection): Promise<Comparison> {
    const seenElsewhere = await this.parts.orphans.look(connection.name);
    const { provider, config } = await this.parts.targets.restore(connection.spec.provider, connection.spec.config);
    const seen = [...seenElsewhere, ...(await this.denials.compare(connection, provider, config))];
    const listing = enumerable(provider);
    if (listing === undefined) return { ownOrphans: [], reported: seen };
    const before = await this.parts.leases.active(connection.name);
    const list = await withDeadline(LIST_DEADLINE_SECONDS, (signal) => listing.objects(config, signal));
    const named = list.objects.flatMap(({ leaseId }) => leaseId ?? []);
    const standings = await this.parts.leases.standings(named, before.at);
    const missing = await this.missing(connection, before.leaseIds, list);
    return {
      ownOrphans: list.objects.flatMap((object) => ownOrphan(object, standings)),
      reported: [...list.objects.flatMap((object) => strangeObject(object, standings)), ...missing, ...seen],
    };
  }

  private async missing(
    connection: Connection,
    leaseIds: readonly LeaseId[],
    { objects, unseen }: TargetObjects,
  ): Promise<readonly Difference[]> {
    if (unseen !== undefined) return [{ kind: 'not_compared', action: 'reported', detail: unseen }];
    const listed = new Set(objects.map(({ leaseId }) => leaseId));
    const leases = await this.parts.leases.stillActive(leaseIds.filter((id) => !listed.has(id)));
    const here = leases.filter((lease) => this.isHere(connection, lease));
    const gone = here.map(({ id }) => ({ kind: 'missing', action: 'reported', leaseId: id, detail: GONE }) as const);
    if (here.length === leases.length) return gone;
    const detail = `${String(leases.length - here.length)} ${ELSEWHERE}`;
    return [...gone, { kind: 'not_compared', action: 'reported', detail }];
  }

  /** True when the lease was planned with the connection as it is declared now, so that its object is at this target. */
  private isHere({ spec }: Connection, lease: SealedLease): boolean {
    return canonicalJson(configOf(this.parts.sealing, lease)) === canonicalJson(spec.config);
  }
}

const GONE = 'the lease is active, and its object is gone; revoke its task, unless the agent can do without it';
const ELSEWHERE =
  'active leases were planned before the connection changed, and the target does not show their objects; they are not compared';

/** INVARIANT: only an object with the mark of this installation is ended, and only when no living lease explains it. */
function ownOrphan(object: TargetObject, standings: ReadonlyMap<LeaseId, LeaseStanding>): readonly OwnOrphan[] {
  const { name, leaseId, mark } = object;
  if (mark !== 'ours' || leaseId === undefined || isExplained(object, standings)) return [];
  return [{ object: name, leaseId, kind: standings.has(leaseId) ? 'ended_lease' : 'unknown_lease' }];
}

function strangeObject(object: TargetObject, standings: ReadonlyMap<LeaseId, LeaseStanding>): readonly Difference[] {
  const { name, leaseId, mark } = object;
  if ((mark === 'ours' && leaseId !== undefined) || isExplained(object, standings)) return [];
  const isOther = mark === 'other';
  return [
    {
      ...{ kind: isOther ? 'other_mark' : 'unmarked', action: 'reported', object: name },
      ...(leaseId === undefined || !standings.has(leaseId) ? {} : { leaseId }),
      detail: isOther ? OTHER_MARK : UNMARKED,
    },
  ];
}

/** A lease that has ended since the first read may still have had its object when the list was made. */
function isExplained({ leaseId }: TargetObject, standings: ReadonlyMap<LeaseId, LeaseStanding>): boolean {
  const standing = leaseId === undefined ? undefined : standings.get(leaseId);
  return standing === 'living' || standing === 'ended_lately';
}

const UNMARKED = 'nothing proves that Mayfly made it; find out who did, and remove it by hand';
const OTHER_MARK =
  'another installation of Mayfly made it, or this one under a sealing key that it no longer has; add that key to `MAYFLY_SEALING_KEY_PREVIOUS`, if it is yours';
