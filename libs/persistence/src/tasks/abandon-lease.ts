import { auditEntry, type AuditEntry } from '@mayfly/audit';
import { present, type TaskId } from '@mayfly/kernel';
import type { AbandonRequest, AbandonResult } from '@mayfly/revocation';
import { type Lease, isAbandonable } from '@mayfly/tasks';
import type { ClientBase } from 'pg';
import { insertAudit } from '../audit/audit-rows.js';
import { endedEntry, endTasks, scheduleDeathProbes } from './record-results.js';

interface LeaseRow {
  readonly task_id: TaskId;
  readonly agent_name: string;
  readonly provider: string;
  readonly state: Lease['state'];
  readonly end_cause: string | null;
  readonly expires_at: Date;
  readonly last_error: string | null;
  readonly at: Date;
}

/**
 * Makes a lease `abandoned` in the caller's transaction, if the rule allows it. Locks its task first, as every
 * transition does, so that a worker's proof comes before or after it and never in between. The version goes up: the
 * claim of a worker that is at the provider now no longer holds. The last error and the acknowledgement of the target
 * stay in the row.
 */
export async function abandonLease(
  client: ClientBase,
  request: AbandonRequest,
  now: Date,
): Promise<AbandonResult | undefined> {
  const row = await lockedLease(client, request);
  if (row === undefined) return undefined;
  const found = {
    ...{ taskId: row.task_id, state: row.state, expiresAt: row.expires_at },
    ...present({ lastError: row.last_error }),
  };
  if (!isAbandonable(found, row.at)) return { found };
  await client.query({
    text: `UPDATE public.lease SET state = 'abandoned', version = version + 1, due_at = NULL, claimed_until = NULL,
             ended_at = $2 WHERE id = $1`,
    values: [request.leaseId, row.at],
  });
  await scheduleDeathProbes(client, [request.leaseId]);
  const ended = await endTasks(client, [row.task_id]);
  await insertAudit(client, [abandonedEntry(request, row, now), ...ended.map((task) => endedEntry(task, now))]);
  return { found, abandonedAt: row.at };
}

async function lockedLease(client: ClientBase, { leaseId }: AbandonRequest): Promise<LeaseRow | undefined> {
  await client.query('SELECT FROM public.task WHERE id = (SELECT task_id FROM public.lease WHERE id = $1) FOR UPDATE', [
    leaseId,
  ]);
  const { rows } = await client.query<LeaseRow>(
    `SELECT task_id, agent_name, provider, state, end_cause, expires_at, last_error, now() AS at
     FROM public.lease WHERE id = $1 FOR UPDATE`,
    [leaseId],
  );
  return rows[0];
}

function abandonedEntry({ leaseId, reason, actor }: AbandonRequest, row: LeaseRow, now: Date): AuditEntry {
  const facts = {
    ...{ provider: row.provider, cause: row.end_cause ?? 'revoked', reason },
    ...{ expiresAt: row.expires_at.toISOString(), ...present({ lastError: row.last_error }) },
  };
  return auditEntry('lease.abandoned', now, actor, { taskId: row.task_id, leaseId, agent: row.agent_name }, facts);
}
