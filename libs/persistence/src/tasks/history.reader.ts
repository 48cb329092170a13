import { present, type Json, type LeaseId, type Page, type PageRequest, type TaskId } from '@mayfly/kernel';
import type { Issuance, IssuanceFilter, IssuanceHistory, IssuancePosition, Lease } from '@mayfly/tasks';
import type { Pool } from 'pg';

import { databaseUnread } from '../database/database-problem.js';
import { Conditions } from '../database/history-conditions.js';
import { pageOf } from '../database/history-page.js';

interface IssuanceRow {
  readonly id: LeaseId;
  readonly task_id: TaskId;
  readonly state: Lease['state'];
  readonly name: string;
  readonly provider: string;
  readonly connection: string | null;
  readonly agent_name: string;
  readonly template_name: string;
  readonly template_version: number;
  readonly runtime: string;
  readonly purpose: string;
  readonly scope: Json;
  readonly created_at: Date;
  readonly expires_at: Date;
  readonly provider_expires_at: Date | null;
  readonly revoke_requested_at: Date | null;
  readonly revoke_effective_at: Date | null;
  readonly ended_at: Date | null;
  readonly end_cause: string | null;
  readonly position: string;
}

const COLUMNS = `l.id, l.task_id, l.state, l.name, l.provider, l.connection, l.agent_name, l.template_name,
  t.template_version, t.runtime, t.purpose, l.scope, l.created_at, l.expires_at, l.provider_expires_at,
  l.revoke_requested_at, l.revoke_effective_at, l.ended_at, l.end_cause,
  to_char(l.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS position`;

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
    const text = `SELECT ${COLUMNS} FROM public.lease l JOIN public.task t ON t.id = l.task_id ${conditions.where}
      ORDER BY l.created_at DESC, l.id DESC LIMIT ${conditions.parameter(limit + 1)}`;
    const { rows } = await this.pool.query<IssuanceRow>(text, conditions.values).catch(databaseUnread);
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
    .add('l.created_at >= ?', filter.from)
    .add('l.created_at < ?', filter.to);
}

function issuanceOf(row: IssuanceRow): Issuance {
  return {
    leaseId: row.id,
    taskId: row.task_id,
    state: row.state,
    name: row.name,
    provider: row.provider,
    agent: row.agent_name,
    template: { name: row.template_name, version: row.template_version },
    runtime: row.runtime,
    purpose: row.purpose,
    scope: row.scope,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    ...present({
      connection: row.connection,
      providerExpiresAt: row.provider_expires_at,
      revokeRequestedAt: row.revoke_requested_at,
      revokeEffectiveAt: row.revoke_effective_at,
      endedAt: row.ended_at,
      endCause: row.end_cause,
    }),
  };
}
