import type { DatabaseScene } from './broker-process.js';
import { rowsOf } from './rows.js';
import { leaseRoles, roleOf } from './target.js';
import { until } from './until.js';

/** How long recovery may take: a mint that was cut off is revoked 12 s after its start, then come retries. */
const RECOVERY_SECONDS = 40;

/** What the database and the target say of each other. */
export interface Census {
  /** login roles of leases that exist at the target, without those that others had made before */
  readonly roles: readonly string[];
  /** the roles of the leases that are `active` */
  readonly active: readonly string[];
  /** leases that are neither alive nor dead: `minting` or `revoking` */
  readonly pending: number;
  /** what the quota counters count, and how many tasks have not ended */
  readonly counted: number;
  readonly living: number;
}

interface LeaseRow {
  readonly id: string;
  readonly provider: string;
  readonly state: string;
}

export async function takeCensus({ database, targetUrl }: DatabaseScene, others: readonly string[]): Promise<Census> {
  const leases = await rowsOf<LeaseRow>(database.adminUrl, 'SELECT id, provider, state FROM lease');
  const [counts] = await rowsOf<{ counted: number; living: number }>(
    database.adminUrl,
    `SELECT (SELECT coalesce(sum(active), 0)::int FROM quota_counter) AS counted,
            (SELECT count(*)::int FROM task WHERE state = 'active') AS living`,
  );
  const roles = await leaseRoles(targetUrl);
  return {
    roles: roles.filter((role) => !others.includes(role)),
    active: leases
      .filter(({ provider, state }) => provider === 'postgres' && state === 'active')
      .map(({ id }) => roleOf(id))
      .sort(),
    pending: leases.filter(({ state }) => state === 'minting' || state === 'revoking').length,
    counted: counts?.counted ?? NaN,
    living: counts?.living ?? NaN,
  };
}

/** The census once nothing is pending any more. Throws when that takes too long. */
export async function recovered(scene: DatabaseScene, others: readonly string[]): Promise<Census> {
  return until('recovery', RECOVERY_SECONDS, async () => {
    const census = await takeCensus(scene, others);
    return census.pending === 0 && census;
  });
}
