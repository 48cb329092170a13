import {
  type AnyProvider,
  type Connection,
  type DenialFindings,
  sharedRevocation,
  withDeadline,
} from '@mayfly/credentials';
import { isId, Problem } from '@mayfly/kernel';
import type { Difference } from './reconciliation.js';
import type { ComparedLeases } from './reconciliation.store.js';

const POINT_DEADLINE_SECONDS = 20;
/** The time in which one comparison begins to check revocation points; a turn lasts longer. */
const CHECKING_SECONDS = 90;
const POINTS_AT_ONCE = 4;

/** The parts that the comparison of denials works with. */
export interface DenialComparisonParts {
  readonly leases: Pick<ComparedLeases, 'revocationPoints'>;
}

/**
 * Compares the denials at the shared revocation points of a connection with the database, both ways. The provider writes
 * a missing denial again and keeps an unknown one; the comparison only reports it.
 */
export class DenialComparison {
  constructor(private readonly parts: DenialComparisonParts) {}

  /** Returns the differences; none for a provider without shared revocation points. Throws `unavailable`. */
  async compare({ name }: Connection, provider: AnyProvider, config: unknown): Promise<readonly Difference[]> {
    const shared = sharedRevocation(provider);
    if (shared === undefined) return [];
    const recorded = await this.parts.leases.revocationPoints(name);
    const points = [...new Set([...shared.revocationPointsIn(config), ...recorded])].sort();
    const until = performance.now() + CHECKING_SECONDS * 1000;
    const differences: Difference[] = [];
    for (let at = 0; at < points.length; at += POINTS_AT_ONCE) {
      const some = points.slice(at, at + POINTS_AT_ONCE);
      if (performance.now() > until) differences.push(...some.map((point) => notCompared(point, LATE)));
      else {
        const checks = some.map((point) => differencesAt(shared.maintain.bind(shared), config, point));
        differences.push(...(await Promise.all(checks)).flat());
      }
    }
    return differences;
  }
}

type Maintain = (config: unknown, point: string, signal: AbortSignal) => Promise<DenialFindings | undefined>;

async function differencesAt(maintain: Maintain, config: unknown, point: string): Promise<readonly Difference[]> {
  try {
    const findings = await withDeadline(POINT_DEADLINE_SECONDS, (signal) => maintain(config, point, signal));
    return findings === undefined ? [notCompared(point, BUSY)] : differencesOf(point, findings);
  } catch (error) {
    return [notCompared(point, error instanceof Problem ? error.detail : FAILED)];
  }
}

function differencesOf(point: string, { missing, kept }: DenialFindings): readonly Difference[] {
  return [
    ...missing.map((leaseId): Difference => ({
      ...{ kind: 'missing_denial', action: 'repaired', object: leaseId, leaseId },
      detail: `the deny policy of ${point} did not deny it; Mayfly wrote the denial again`,
    })),
    ...kept.map(({ leaseId: object, expiresAt }): Difference => ({
      ...{ kind: 'unknown_denial', action: 'reported', object },
      ...(isId('lse', object) ? { leaseId: object } : {}),
      detail: `the deny policy of ${point} denies it, and no ended lease explains that; Mayfly keeps the denial until ${expiresAt.toISOString()}`,
    })),
  ];
}

function notCompared(point: string, reason: string): Difference {
  return { kind: 'not_compared', action: 'reported', object: point, detail: reason };
}

const BUSY = 'another process writes the deny policy now; ask again';
const LATE = 'there was no time to check the deny policy; ask again';
const FAILED = 'the provider failed unexpectedly; read the log of Mayfly, then ask again';
