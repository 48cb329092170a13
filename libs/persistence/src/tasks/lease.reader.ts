import type { LeaseId } from '@mayfly/kernel';
import type { Pool } from 'pg';
import { databaseUnread } from '../database/database-problem.js';

/** What introspection asks of the database. */
export class LeaseReader {
  constructor(private readonly pool: Pool) {}

  /**
   * Whether the lease may be used now: it is active, before its granted deadline, and no end of its task is recorded.
   * Two look-ups by primary key in one statement, read after every commit before it. Throws `unavailable`.
   */
  async isLive(leaseId: LeaseId): Promise<boolean> {
    const { rowCount } = await this.pool
      .query({
        name: 'lease-is-live',
        text: `SELECT FROM public.lease l JOIN public.task t ON t.id = l.task_id
               WHERE l.id = $1 AND l.state = 'active' AND l.expires_at > now() AND t.end_cause IS NULL`,
        values: [leaseId],
      })
      .catch(databaseUnread);
    return rowCount === 1;
  }
}
