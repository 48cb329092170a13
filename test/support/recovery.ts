import type { DatabaseScene } from './broker-process.js';
import { rowsOf } from './rows.js';
import { leaseRoles, roleOf } from './target.js';
import { until } from './until.js';

/** The longest recovery: an interrupted mint is revoked 12 s after its start, then retries follow. */
const RECOVERY_SECONDS = 40;

/** The state of the leases in the database and at the target, for comparison. */
export interface Census {
  /** login roles of leases at the target, without those that existed before */
  readonly roles: readonly string[];
  /** roles of the `active` leases */
  readonly active: readonly string[];
  /** number of leases in `minting` or `revoking` */
  readonly pending: number;
  /** tasks in the quota counters, and tasks that have not ended */
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

/** Returns the census when no lease is pending. Throws after the longest recovery. */
export async function recovered(scene: DatabaseScene, others: readonly string[]): Promise<Census> {
  return until('recovery', RECOVERY_SECONDS, async () => {
    const census = await takeCensus(scene, others);
    return census.pending === 0 && census;
  });
}
