import type { Pool } from 'pg';

/** The most leases of one state that a scrape counts. */
const COUNTED = 10_000;

const STATES = ['minting', 'active', 'revoking'] as const;

/** Reads at most `$1` entries of the index over state and time, however long the history is. */
const COUNTS = STATES.map(
  (state) => `SELECT '${state}' AS state, count(*)::int AS count
    FROM (SELECT FROM public.lease WHERE state = '${state}' ORDER BY created_at LIMIT $1) AS counted`,
).join(' UNION ALL ');

/** Reads at most `$1` entries of each of the two indexes that `GET /leases` reads. */
const OVERDUE = `SELECT provider, coalesce(connection, 'none') AS connection, count(*)::int AS count FROM (
    (SELECT provider, connection FROM public.lease WHERE state = 'revoking'
      ORDER BY least(revoke_requested_at, expires_at) LIMIT $1)
    UNION ALL
    (SELECT provider, connection FROM public.lease WHERE due_at <= now() AND state IN ('minting', 'active')
      ORDER BY due_at LIMIT $1)
  ) AS overdue GROUP BY 1, 2`;

/** The number of overdue leases of one provider at one connection. */
interface OverdueCount {
  readonly provider: string;
  readonly connection: string;
  readonly count: number;
}

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
   * Returns the number of overdue leases (`GET /leases?overdue=true`) by provider and connection; a lease without a
   * connection counts under `none`. Counts the 10,000 that are overdue longest of those that are revoking, and as many
   * that nobody has claimed.
   */
  async overdue(): Promise<readonly OverdueCount[]> {
    const { rows } = await this.pool.query<OverdueCount>(OVERDUE, [this.counted]);
    return rows;
  }

  /**
   * Returns the seconds since the oldest unclosed lease fell due; 0 when none is overdue. Reads the first entries of
   * two indexes.
   */
  async oldestOverdueSeconds(): Promise<number> {
    const { rows } = await this.pool.query<{ seconds: number }>(
      `SELECT greatest(0, extract(epoch FROM now() - least(
           (SELECT due_at FROM public.lease WHERE due_at <= now() ORDER BY due_at LIMIT 1),
           (SELECT least(revoke_requested_at, expires_at) FROM public.lease WHERE state = 'revoking'
             ORDER BY least(revoke_requested_at, expires_at) LIMIT 1)
         )))::float AS seconds`,
    );
    return rows[0]?.seconds ?? 0;
  }
}
