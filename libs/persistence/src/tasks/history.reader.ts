import type { Page, PageRequest } from '@mayfly/kernel';
import type { Issuance, IssuanceFilter, IssuanceHistory, IssuancePosition } from '@mayfly/tasks';
import type { Pool } from 'pg';

import { databaseUnread } from '../database/database-problem.js';
import { Conditions } from '../database/history-conditions.js';
import { pageOf } from '../database/history-page.js';
import { ISSUANCE_COLUMNS, type IssuanceRow, issuanceOf, positionText } from './issuance-rows.js';

interface HistoryRow extends IssuanceRow {
  readonly position: string;
}

/** The history of issuances on PostgreSQL. */
export class HistoryReader implements IssuanceHistory {
  constructor(private readonly pool: Pool) {}

  /**
   * Each filter alone has an index in this order, so the cost of a page does not grow
   * with the history.
   */
  async issuances(
    filter: IssuanceFilter,
    { limit, after }: PageRequest<IssuancePosition>,
  ): Promise<Page<Issuance, IssuancePosition>> {
    const conditions = conditionsOf(filter).add(
      '(l.created_at, l.id) < (?::timestamptz, ?)',
      after?.createdAt,
      after?.leaseId,
    );
    const text = `SELECT ${ISSUANCE_COLUMNS}, ${positionText('l.created_at')}
      FROM public.lease l JOIN public.task t ON t.id = l.task_id ${conditions.where}
      ORDER BY l.created_at DESC, l.id DESC LIMIT ${conditions.parameter(limit + 1)}`;
    const { rows } = await this.pool.query<HistoryRow>(text, conditions.values).catch(databaseUnread);
    return pageOf(rows, limit, issuanceOf, (row) => ({ createdAt: row.position, leaseId: row.id }));
  }
}

function conditionsOf(filter: IssuanceFilter): Conditions {
  return new Conditions()
    .add('l.agent_name = ?', filter.agent)
    .add('l.template_name = ?', filter.template)
    .add('l.provider = ?', filter.provider)
    .add('l.state = ?', filter.state)
    .add('l.end_cause = ?', filter.cause)
    .add('l.task_id = ?', filter.taskId)
    .add('l.id = ?', filter.leaseId)
    .add('l.created_at >= ?', filter.from)
    .add('l.created_at < ?', filter.to);
}
