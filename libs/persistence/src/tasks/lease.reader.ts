import type { LeaseId } from '@mayfly/kernel';
import type { Pool } from 'pg';
import { databaseUnread } from '../database/database-problem.js';

/** The database reads of introspection. */
export class LeaseReader {
  constructor(private readonly pool: Pool) {}

  /**
   * True when the lease may be used now: it is active, before its granted deadline, its task has no recorded end, and no
   * lockdown covers the task.
   * One statement with two look-ups by primary key, which sees every earlier commit. Throws `unavailable`.
   */
  async isLive(leaseId: LeaseId): Promise<boolean> {
    const { rowCount } = await this.pool
      .query({
        name: 'lease-is-live',
        text: `SELECT FROM public.lease l JOIN public.task t ON t.id = l.task_id
               WHERE l.id = $1 AND l.state = 'active' AND l.expires_at > now() AND t.end_cause IS NULL
                 AND public.lockdown_of(t.id) IS NULL`,
        values: [leaseId],
      })
      .catch(databaseUnread);
    return rowCount === 1;
  }
}
