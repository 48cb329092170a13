import { Problem } from '@mayfly/kernel';
import type { ClientBase, Pool } from 'pg';
import { inTransaction } from '../database/transaction.js';

const SEAL = `
WITH horizon AS (SELECT ((pg_snapshot_xmin(pg_current_snapshot()))::text)::bigint AS xmin),
last AS (
  SELECT coalesce(max(seq), 0) AS seq, (SELECT xid FROM public.audit_seal ORDER BY seq DESC LIMIT 1) AS xid,
         (SELECT entry_id FROM public.audit_seal ORDER BY seq DESC LIMIT 1) AS id FROM public.audit_seal
), fresh AS (
  SELECT e.id, e.xid, e.body, row_number() OVER (ORDER BY e.xid, e.id) AS place
  FROM public.audit_entry e, last, horizon
  WHERE e.xid < horizon.xmin AND (last.xid IS NULL OR (e.xid, e.id) > (last.xid, last.id))
  ORDER BY e.xid, e.id LIMIT $1
)
INSERT INTO public.audit_seal (seq, entry_id, xid, leaf_hash)
SELECT last.seq + fresh.place, fresh.id, fresh.xid, sha256('\\x00'::bytea || convert_to(fresh.body, 'UTF8'))
FROM fresh, last`;

/**
 * Assigns committed audit entries their number in the gapless sequence, and their leaf hash: SHA-256(0x00 ‖ body), RFC
 * 6962 §2.1. One process does so at a time, over all replicas. It takes only entries below the oldest running
 * transaction, so no entry can appear later in front of a numbered one.
 */
export class AuditSealer {
  constructor(private readonly pool: Pool) {}

  /** Numbers at most `limit` entries and returns how many; 0 while another replica does so. */
  async seal(limit = 5_000): Promise<number> {
    return inTransaction(this.pool, async (client) => {
      const { rows } = await client.query<{ mine: boolean }>(
        `SELECT pg_try_advisory_xact_lock(hashtext('mayfly audit sealer')) AS mine`,
      );
      if (rows[0]?.mine !== true) return 0;
      await refuseRestoredCluster(client);
      const { rowCount } = await client.query({ name: 'seal-audit', text: SEAL, values: [limit] });
      return rowCount ?? 0;
    });
  }
}

/**
 * Throws `unavailable` after a restore into another cluster: transaction ids restart there, so they cannot order old
 * and new entries. A visible failure is better than silently unnumbered entries.
 */
async function refuseRestoredCluster(client: ClientBase): Promise<void> {
  const { rows } = await client.query<{ restored: boolean }>({
    name: 'seal-cluster',
    text: `SELECT xid > ((pg_current_xact_id())::text)::bigint AS restored FROM public.audit_seal ORDER BY seq DESC LIMIT 1`,
  });
  if (rows[0]?.restored === true) {
    const detail =
      'the audit was restored into a new database cluster: advance the transaction ids of the cluster first (docs/adr/0006)';
    throw new Problem('unavailable', detail);
  }
}
