import type { LeaseId } from '@mayfly/kernel';
import type { Pool } from 'pg';
import { inTransaction } from './transaction.js';

/** A wake-up that waits for the queue. */
export interface OutboxJob {
  readonly leaseId: LeaseId;
  readonly reason: string;
  readonly runAt: Date;
}

/** The outbox: wake-ups that were committed with their leases and wait for the queue. */
export class Outbox {
  constructor(private readonly pool: Pool) {}

  /**
   * Delivers at most `limit` jobs, deletes them once `deliver` resolves, and returns their number. Delivery is at least
   * once: after a crash between the two the jobs are delivered again, and the queue ignores a known job id.
   */
  async pump(deliver: (jobs: readonly OutboxJob[]) => Promise<void>, limit = 500): Promise<number> {
    return inTransaction(this.pool, async (client) => {
      const { rows } = await client.query<{ lease_id: LeaseId; reason: string; run_at: Date }>({
        name: 'outbox',
        text: `DELETE FROM public.outbox WHERE id IN (SELECT id FROM public.outbox ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
               RETURNING lease_id, reason, run_at`,
        values: [limit],
      });
      if (rows.length > 0)
        await deliver(rows.map((row) => ({ leaseId: row.lease_id, reason: row.reason, runAt: row.run_at })));
      return rows.length;
    });
  }
}
