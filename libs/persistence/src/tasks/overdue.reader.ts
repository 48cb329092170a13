import { type Page, type PageRequest, present } from '@mayfly/kernel';
import type { OverdueFilter, OverdueLease, OverdueLeases, OverduePosition } from '@mayfly/tasks';
import type { Pool } from 'pg';
import { databaseUnread } from '../database/database-problem.js';
import { Conditions } from '../database/history-conditions.js';
import { pageOf } from '../database/history-page.js';
import { ISSUANCE_COLUMNS, type IssuanceRow, issuanceOf, positionText } from './issuance-rows.js';

interface OverdueRow extends IssuanceRow {
  readonly revocation: OverdueLease['revocation'];
  readonly attempts: number;
  readonly last_error: string | null;
  readonly due_at: Date | null;
  readonly since: Date;
  readonly position: string;
}

/** Leases of one kind, and the instant since which each is overdue, in the order of an index over that instant. */
interface Source {
  readonly where: string;
  readonly since: string;
}

const ENDED_SINCE = 'least(l.revoke_requested_at, l.expires_at)';
const REVOKING: Source = { where: `l.state = 'revoking'`, since: ENDED_SINCE };
const ABANDONED: Source = { where: `l.state = 'abandoned'`, since: ENDED_SINCE };
/** Leases that no worker has claimed since their due time. */
const UNCLAIMED: Source = { where: `l.due_at <= now() AND l.state IN ('minting', 'active')`, since: 'l.due_at' };

/**
 * The overdue leases on PostgreSQL. Each source is read by its own partial index up to the size of a page, so the cost
 * of a page does not grow with the history. A filter reads the overdue leases, and no lease that has ended with proof.
 */
export class OverdueReader implements OverdueLeases {
  constructor(private readonly pool: Pool) {}

  overdue(filter: OverdueFilter, page: PageRequest<OverduePosition>): Promise<Page<OverdueLease, OverduePosition>> {
    return this.read([REVOKING, UNCLAIMED], filter, page);
  }

  abandoned(filter: OverdueFilter, page: PageRequest<OverduePosition>): Promise<Page<OverdueLease, OverduePosition>> {
    return this.read([ABANDONED], filter, page);
  }

  private async read(
    sources: readonly Source[],
    filter: OverdueFilter,
    { limit, after }: PageRequest<OverduePosition>,
  ): Promise<Page<OverdueLease, OverduePosition>> {
    const conditions = new Conditions();
    const position = `(coalesce(${conditions.parameter(after?.since)}::timestamptz, '-infinity'),
          coalesce(${conditions.parameter(after?.leaseId)}, ''))`;
    const most = conditions.parameter(limit + 1);
    conditions
      .add('l.agent_name = ?', filter.agent)
      .add('l.template_name = ?', filter.template)
      .add('l.provider = ?', filter.provider)
      .add('l.connection = ?', filter.connection);
    const found = sources.map(
      (source) => `(SELECT l.id, ${source.since} AS since FROM public.lease l
        ${conditions.where === '' ? 'WHERE' : `${conditions.where} AND`} ${source.where}
          AND (${source.since}, l.id) > ${position}
        ORDER BY ${source.since}, l.id LIMIT ${most})`,
    );
    const text = `WITH found AS MATERIALIZED (
        SELECT * FROM (${found.join(' UNION ALL ')}) AS source ORDER BY since, id LIMIT ${most}
      )
      SELECT ${ISSUANCE_COLUMNS}, l.revocation, l.attempts, l.last_error, l.due_at, found.since,
        ${positionText('found.since')}
      FROM found JOIN public.lease l ON l.id = found.id JOIN public.task t ON t.id = l.task_id
      ORDER BY found.since, found.id`;
    const { rows } = await this.pool.query<OverdueRow>(text, conditions.values).catch(databaseUnread);
    return pageOf(rows, limit, overdueOf, (row) => ({ since: row.position, leaseId: row.id }));
  }
}

function overdueOf(row: OverdueRow): OverdueLease {
  return {
    ...issuanceOf(row),
    revocation: row.revocation,
    attempts: row.attempts,
    overdueSince: row.since,
    ...present({ lastError: row.last_error, nextTryAt: row.due_at }),
  };
}
