import type { Pool } from 'pg';
import { databaseUnread } from '../database/database-problem.js';

/** The values of one kind that one sealing key sealed. */
export interface SealedCount {
  readonly kind: 'lease' | 'answer';
  /** the first byte of each value, which is derived from the key */
  readonly keyId: number;
  readonly count: number;
  /** those whose deadline passed less than a day ago, or is yet to come */
  readonly current: number;
}

/** A lease whose end could not be proven for a day past its deadline is one that an operator has to abandon. */
const COUNT = `
SELECT v.kind, get_byte(v.sealed, 0) AS key_id, count(*)::int AS count,
  (count(*) FILTER (WHERE v.until > now() - interval '1 day'))::int AS current
FROM (
  (SELECT 'lease' AS kind, l.sealed_handle AS sealed, l.expires_at AS until FROM public.lease l
   WHERE l.due_at IS NOT NULL ORDER BY l.due_at LIMIT $1)
  UNION ALL
  (SELECT 'answer', k.sealed_answer, k.replay_until FROM public.idempotency_key k
   WHERE k.sealed_answer IS NOT NULL AND k.replay_until > now() LIMIT $1)
) v
GROUP BY v.kind, key_id`;

/** Counts the values that are still needed, by the key that sealed them. */
export class SealedValuesReader {
  constructor(private readonly pool: Pool) {}

  /** Counts at most `limit` leases that have not ended, earliest due first, and as many replayable answers. Throws `unavailable`. */
  async count(limit: number): Promise<readonly SealedCount[]> {
    const { rows } = await this.pool
      .query<Omit<SealedCount, 'keyId'> & { readonly key_id: number }>(COUNT, [limit])
      .catch(databaseUnread);
    return rows.map(({ kind, key_id: keyId, count, current }) => ({ kind, keyId, count, current }));
  }
}
