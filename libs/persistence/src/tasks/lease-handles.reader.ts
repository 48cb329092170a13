import type { SealedLease } from '@mayfly/credentials';
import type { OrphanStore } from '@mayfly/revocation';
import { Problem } from '@mayfly/kernel';
import type { Pool } from 'pg';
import { databaseUnread } from '../database/database-problem.js';

/** The time for which an ended lease still counts: its objects may disappear during the scan. */
const RECENT_SECONDS = 300;
/** The maximum number of leases. Above it the read fails, since objects of omitted leases would count as orphans. */
const MAX_LEASES = 20_000;

/** Reads the sealed handles of leases, to compare them with the objects at a back end. */
export class LeaseHandlesReader implements OrphanStore {
  constructor(private readonly pool: Pool) {}

  /**
   * Returns the leases that have not ended, or ended within the last five minutes. Throws `unavailable`, also when
   * there are too many leases.
   */
  async lately(provider: string): Promise<readonly SealedLease[]> {
    const { rows } = await this.pool
      .query<SealedLease>(
        `SELECT id, provider, sealed_handle AS "sealedHandle" FROM public.lease
         WHERE provider = $1 AND (due_at IS NOT NULL OR ended_at > now() - make_interval(secs => $2))
         LIMIT $3`,
        [provider, RECENT_SECONDS, MAX_LEASES + 1],
      )
      .catch(databaseUnread);
    if (rows.length > MAX_LEASES)
      throw new Problem('unavailable', 'the connection has too many leases to compare with its orphans');
    return rows;
  }
}
