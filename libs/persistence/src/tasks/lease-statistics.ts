import type { Pool } from 'pg';

/** Metrics of leases, read at each scrape. */
export class LeaseStatistics {
  constructor(private readonly pool: Pool) {}

  /** Returns the number of leases that are not terminal, by state. */
  async leases(): Promise<ReadonlyMap<string, number>> {
    const { rows } = await this.pool.query<{ state: string; count: number }>(
      `SELECT state, count(*)::int AS count FROM public.lease WHERE due_at IS NOT NULL GROUP BY state`,
    );
    const counts = new Map(rows.map(({ state, count }) => [state, count]));
    return new Map(['minting', 'active', 'revoking'].map((state) => [state, counts.get(state) ?? 0]));
  }

  /** Returns the seconds since the oldest unclosed lease fell due; 0 when none is overdue. */
  async oldestOverdueSeconds(): Promise<number> {
    const { rows } = await this.pool.query<{ seconds: number }>(
      `SELECT greatest(0, extract(epoch FROM now() - coalesce(min(least(due_at, revoke_requested_at)), now())))::float AS seconds
       FROM public.lease WHERE due_at IS NOT NULL AND (due_at <= now() OR state = 'revoking')`,
    );
    return rows[0]?.seconds ?? 0;
  }
}
