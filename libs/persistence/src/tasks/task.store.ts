import type { LivingLease, Renewal, TaskStore } from '@mayfly/issuance';
import { present, type JsonObject, type LeaseId, type TaskId } from '@mayfly/kernel';
import type { Task } from '@mayfly/tasks';
import type { Pool } from 'pg';
import { insertAudit } from '../audit/audit-rows.js';

import { databaseProblem } from '../database/database-problem.js';
import type { PrismaClient } from '../generated/client.js';
import type { LeaseModel, TaskModel } from '../generated/models.js';
import { inTransaction } from '../database/transaction.js';

/**
 * Locks a task that is neither ending nor past its deadline: an expired task is never revived, even before the sweeper
 * closes it.
 */
const LIVING = `SELECT id FROM public.task
  WHERE id = $1 AND state = 'active' AND end_cause IS NULL AND expires_at > now() FOR UPDATE`;

/** Locks the task of an active lease, unless the task is ending or has ended. */
const LIVING_LEASE = `WITH living AS (SELECT id FROM public.task WHERE id = (SELECT task_id FROM public.lease WHERE id = $1)
  AND state = 'active' AND end_cause IS NULL FOR UPDATE)`;
const OF_LIVING = `FROM living WHERE l.id = $1 AND l.task_id = living.id AND l.state = 'active'`;

/** The store of running tasks on PostgreSQL. Concurrent calls never move an instant back. */
export class PgTaskStore implements TaskStore {
  constructor(
    private readonly pool: Pool,
    private readonly prisma: PrismaClient,
  ) {}

  async find(taskId: TaskId): Promise<(Task & { readonly leases: readonly LivingLease[] }) | undefined> {
    const row = await this.prisma.task
      .findUnique({ where: { id: taskId }, include: { leases: { orderBy: { id: 'asc' } } } })
      .catch(databaseProblem);
    return row === null ? undefined : { ...taskOf(row), leases: row.leases.map(leaseOf) };
  }

  renew({ taskId, expiresAt, dueAt, audit, wakeUps }: Renewal): Promise<boolean> {
    return inTransaction(this.pool, async (client) => {
      const { rowCount } = await client.query(
        `WITH living AS (${LIVING})
         UPDATE public.task t SET expires_at = greatest(expires_at, $2), heartbeat_at = CASE WHEN heartbeat_timeout_seconds IS NOT NULL THEN now() END
         FROM living WHERE t.id = living.id`,
        [taskId, expiresAt],
      );
      if (rowCount !== 1) return false;
      await client.query(
        `UPDATE public.lease SET expires_at = greatest(expires_at, $2), due_at = greatest(due_at, $3), version = version + 1
         WHERE task_id = $1 AND state = 'active'`,
        [taskId, expiresAt, dueAt],
      );
      await client.query(
        `INSERT INTO public.outbox (lease_id, reason, run_at) SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[])`,
        [wakeUps.map((one) => one.leaseId), wakeUps.map((one) => one.reason), wakeUps.map((one) => one.runAt)],
      );
      await insertAudit(client, audit);
      return true;
    }).catch(databaseProblem);
  }

  async reissuing(leaseId: LeaseId, issuedBy: Date): Promise<boolean> {
    const { rowCount } = await this.pool
      .query(`${LIVING_LEASE} UPDATE public.lease l SET issued_by = greatest(issued_by, $2) ${OF_LIVING}`, [
        leaseId,
        issuedBy,
      ])
      .catch(databaseProblem);
    return rowCount === 1;
  }

  async renewedAtProvider(leaseId: LeaseId, providerExpiresAt: Date): Promise<boolean> {
    const { rowCount } = await this.pool
      .query(
        `${LIVING_LEASE} UPDATE public.lease l
         SET provider_expires_at = $2, issued_by = clock_timestamp(), renew_requested_at = NULL ${OF_LIVING}`,
        [leaseId, providerExpiresAt],
      )
      .catch(databaseProblem);
    return rowCount === 1;
  }

  heartbeat(taskId: TaskId, at: Date, dueAt: Date): Promise<boolean> {
    return inTransaction(this.pool, async (client) => {
      const { rowCount } = await client.query(
        `WITH living AS (${LIVING})
         UPDATE public.task t SET heartbeat_at = greatest(heartbeat_at, $2) FROM living WHERE t.id = living.id`,
        [taskId, at],
      );
      if (rowCount !== 1) return false;
      await client.query(
        `UPDATE public.lease SET due_at = greatest(due_at, $2), version = version + 1 WHERE task_id = $1 AND state = 'active'`,
        [taskId, dueAt],
      );
      return true;
    }).catch(databaseProblem);
  }
}

/** Builds a task from its row. */
function taskOf(row: TaskModel): Task {
  return {
    id: row.id as Task['id'],
    state: row.state as Task['state'],
    agent: { id: row.agentId as Task['agent']['id'], name: row.agentName },
    runtime: row.runtime,
    template: { name: row.templateName, version: row.templateVersion },
    parameters: row.parameters as JsonObject,
    purpose: row.purpose,
    createdAt: row.createdAt,
    expiresAt: row.expiresAt,
    maxExpiresAt: row.maxExpiresAt,
    ...present({
      heartbeatTimeoutSeconds: row.heartbeatTimeoutSeconds,
      heartbeatAt: row.heartbeatAt,
      endCause: row.endCause as Task['endCause'] | null,
      endReason: row.endReason,
      endRequestedAt: row.endRequestedAt,
      endedAt: row.endedAt,
    }),
  };
}

/** Builds a lease from its row. */
function leaseOf(row: LeaseModel): LivingLease {
  return {
    id: row.id as LeaseId,
    taskId: row.taskId as TaskId,
    name: row.name,
    provider: row.provider,
    revocation: row.revocation as LivingLease['revocation'],
    state: row.state as LivingLease['state'],
    scope: row.scope,
    createdAt: row.createdAt,
    expiresAt: row.expiresAt,
    attempts: row.attempts,
    sealedHandle: row.sealedHandle,
    ...present({
      connection: row.connection,
      revocationNote: row.revocationNote,
      revocationPoint: row.target,
      renewRequestedAt: row.renewRequestedAt,
      providerExpiresAt: row.providerExpiresAt,
      endCause: row.endCause,
      revokeRequestedAt: row.revokeRequestedAt,
      revokeEffectiveAt: row.revokeEffectiveAt,
      endedAt: row.endedAt,
      lastError: row.lastError,
    }),
  };
}
