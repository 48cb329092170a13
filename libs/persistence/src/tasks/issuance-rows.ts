import { present, type Json, type LeaseId, type TaskId } from '@mayfly/kernel';
import type { Issuance, Lease } from '@mayfly/tasks';

/** A row of `lease` with the columns of its task that the history shows. */
export interface IssuanceRow {
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
  readonly confirmed_dead_at: Date | null;
  readonly end_cause: string | null;
}

/** The columns of `IssuanceRow`, of `lease l` and `task t`. */
export const ISSUANCE_COLUMNS = `l.id, l.task_id, l.state, l.name, l.provider, l.connection, l.agent_name, l.template_name,
  t.template_version, t.runtime, t.purpose, l.scope, l.created_at, l.expires_at, l.provider_expires_at,
  l.revoke_requested_at, l.revoke_effective_at, l.ended_at, l.confirmed_dead_at, l.end_cause`;

/** An instant as text in UTC with microseconds, which a cursor keeps. */
export function positionText(expression: string): string {
  return `to_char(${expression} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS position`;
}

/** Returns the issuance that a row stands for. */
export function issuanceOf(row: IssuanceRow): Issuance {
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
      confirmedDeadAt: row.confirmed_dead_at,
      endCause: row.end_cause,
    }),
  };
}
