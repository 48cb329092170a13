import type { LivingConnections } from '@mayfly/revocation';
import type { Pool } from 'pg';
import { databaseUnread } from '../database/database-problem.js';

/** Reads the connections of leases that have not ended: such a lease always has a due time (I3). */
export class LivingConnectionsReader implements LivingConnections {
  constructor(private readonly pool: Pool) {}

  /**
   * Returns the connections with living leases. Throws `unavailable`. Without `names` it reads every living lease,
   * which a process does once at its start.
   */
  async living(names?: readonly string[]): Promise<readonly string[]> {
    const { rows } = await this.pool
      .query<{ connection: string }>(
        names === undefined
          ? 'SELECT DISTINCT connection FROM public.lease WHERE due_at IS NOT NULL AND connection IS NOT NULL'
          : `SELECT connection FROM unnest($1::text[]) AS known (connection)
              WHERE EXISTS (SELECT FROM public.lease WHERE lease.connection = known.connection AND due_at IS NOT NULL)`,
        names === undefined ? [] : [names],
      )
      .catch(databaseUnread);
    return rows.map(({ connection }) => connection);
  }
}
