import type { SealedLease } from '@mayfly/credentials';
import type { LeaseId } from '@mayfly/kernel';
import type { ComparedLeases, LeaseStanding } from '@mayfly/revocation';
import type { Pool } from 'pg';
import { databaseUnread } from '../database/database-problem.js';

/** A lease that ends this soon may have lost its object to the provider's own expiry. */
const ENDING_SECONDS = 60;

const ACTIVE = `
SELECT moment.at, coalesce(array_agg(l.id) FILTER (WHERE l.id IS NOT NULL), '{}') AS "leaseIds"
FROM (SELECT now() AS at) AS moment
LEFT JOIN public.lease l ON l.state = 'active' AND l.due_at IS NOT NULL AND l.connection = $1 GROUP BY moment.at`;

const STANDINGS = `
SELECT id, CASE WHEN ended_at IS NULL THEN 'living' WHEN ended_at >= $2 THEN 'ended_lately' ELSE 'ended' END AS standing
FROM public.lease WHERE id = ANY($1::text[])`;

const STILL_ACTIVE = `
SELECT id, provider, sealed_handle AS "sealedHandle" FROM public.lease
WHERE id = ANY($1::text[]) AND state = 'active' AND expires_at > now() + make_interval(secs => ${String(ENDING_SECONDS)})
ORDER BY id`;

const REVOCATION_POINTS = `
SELECT target FROM public.denial_document d
WHERE EXISTS (SELECT FROM public.lease l WHERE l.target = d.target AND l.connection = $1) ORDER BY target`;

/** Reads the leases that are compared with the objects at a target. Each statement reads what is committed by then. */
export class ComparedLeasesReader implements ComparedLeases {
  constructor(private readonly pool: Pool) {}

  async active(connection: string): Promise<{ readonly at: Date; readonly leaseIds: readonly LeaseId[] }> {
    const { rows } = await this.pool
      .query<{ at: Date; leaseIds: LeaseId[] }>(ACTIVE, [connection])
      .catch(databaseUnread);
    return rows[0] ?? { at: new Date(0), leaseIds: [] };
  }

  async standings(leaseIds: readonly LeaseId[], since: Date): Promise<ReadonlyMap<LeaseId, LeaseStanding>> {
    if (leaseIds.length === 0) return new Map();
    const { rows } = await this.pool
      .query<{ id: LeaseId; standing: LeaseStanding }>(STANDINGS, [leaseIds, since])
      .catch(databaseUnread);
    return new Map(rows.map(({ id, standing }) => [id, standing]));
  }

  async stillActive(leaseIds: readonly LeaseId[]): Promise<readonly SealedLease[]> {
    if (leaseIds.length === 0) return [];
    const { rows } = await this.pool.query<SealedLease & object>(STILL_ACTIVE, [leaseIds]).catch(databaseUnread);
    return rows;
  }

  async revocationPoints(connection: string): Promise<readonly string[]> {
    const { rows } = await this.pool.query<{ target: string }>(REVOCATION_POINTS, [connection]).catch(databaseUnread);
    return rows.map(({ target }) => target);
  }
}
