import type { Pool } from 'pg';

/** The most leases of one state that a scrape counts. */
const COUNTED = 10_000;

const STATES = ['minting', 'active', 'revoking'] as const;

/** Reads at most `$1` entries of the index over state and time, however long the history is. */
const COUNTS = STATES.map(
  (state) => `SELECT '${state}' AS state, count(*)::int AS count
    FROM (SELECT FROM public.lease WHERE state = '${state}' ORDER BY created_at LIMIT $1) AS counted`,
).join(' UNION ALL ');

/** Metrics of leases and tasks, read at each scrape. No read grows with the history or with the live leases. */
export class LeaseStatistics {
  constructor(
    private readonly pool: Pool,
    private readonly counted = COUNTED,
  ) {}

  /** Returns the number of leases that are not terminal, by state. Counts up to 10,000 of each state. */
  async leases(): Promise<ReadonlyMap<string, number>> {
    const { rows } = await this.pool.query<{ state: string; count: number }>(COUNTS, [this.counted]);
    return new Map(rows.map(({ state, count }) => [state, count]));
  }

  /** Returns the number of running tasks, from the counters of the quota scopes: one row for each template. */
  async runningTasks(): Promise<number> {
    const { rows } = await this.pool.query<{ tasks: number }>(
      'SELECT coalesce(sum(active), 0)::int AS tasks FROM public.quota_counter',
    );
    return rows[0]?.tasks ?? 0;
  }

  /**
   * Returns the seconds since the oldest unclosed lease fell due; 0 when none is overdue. Reads the first entries of
   * two indexes.
   */
  async oldestOverdueSeconds(): Promise<number> {
    const { rows } = await this.pool.query<{ seconds: number }>(
      `SELECT greatest(0, extract(epoch FROM now() - least(
           (SELECT due_at FROM public.lease WHERE due_at <= now() ORDER BY due_at LIMIT 1),
           (SELECT revoke_requested_at FROM public.lease WHERE state = 'revoking' ORDER BY revoke_requested_at LIMIT 1)
         )))::float AS seconds`,
    );
    return rows[0]?.seconds ?? 0;
  }
}
