import type { SealedLease } from '@mayfly/credentials';
import type { OrphanStore } from '@mayfly/revocation';
import { Problem } from '@mayfly/kernel';
import type { Pool } from 'pg';
import { databaseUnread } from '../database/database-problem.js';

/** A lease counts for so long after its end: what it had may be going while somebody looks. */
const RECENT_SECONDS = 300;
/** With some left out, what they have would be taken for orphans. */
const MAX_LEASES = 20_000;

/** The sealed handles of leases, to compare what they have with what is there. */
export class LeaseHandlesReader implements OrphanStore {
  constructor(private readonly pool: Pool) {}

  /** Throws `unavailable`. */
  async lately(provider: string): Promise<readonly SealedLease[]> {
    const { rows } = await this.pool
      .query<SealedLease>(
        `SELECT id, provider, sealed_handle AS "sealedHandle" FROM public.lease
         WHERE provider = $1 AND (due_at IS NOT NULL OR ended_at > now() - make_interval(secs => $2))
         LIMIT $3`,
        [provider, RECENT_SECONDS, MAX_LEASES + 1],
      )
      .catch(databaseUnread);
    if (rows.length > MAX_LEASES) throw new Problem('unavailable', 'there are too many leases to compare');
    return rows;
  }
}
