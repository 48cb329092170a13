import type { LivingLease, Renewal, StoredTask, TaskStore } from '@mayfly/issuance';
import type { AgentId, LeaseId, TaskId } from '@mayfly/kernel';
import type { Task } from '@mayfly/tasks';
import type { Pool } from 'pg';
import { insertAudit } from '../audit/audit-rows.js';
import { databaseProblem } from '../database/database-problem.js';
import { inTransaction } from '../database/transaction.js';
import { insertWakeUps, type WakeUpOptions, WITH_WAKE_UPS } from './wake-ups.js';

/**
 * Locks a task that is neither ending nor past its deadline, and that no lockdown covers: an expired task is never
 * revived, even before the sweeper closes it.
 */
const LIVING = `SELECT id, now() AS at FROM public.task
  WHERE id = $1 AND state = 'active' AND end_cause IS NULL AND expires_at > now() AND public.lockdown_of(id) IS NULL FOR UPDATE`;

/**
 * Locks the task of an active lease, unless the task is ending, has ended or is past its deadline, or a lockdown covers
 * it. `at` is an instant under the lock. `locked_down` makes an engagement wait for this statement: what it permits to
 * deliver was delivered before the engagement.
 */
const LIVING_LEASE = `WITH locked AS (SELECT id FROM public.task WHERE id = (SELECT task_id FROM public.lease WHERE id = $1)
  AND state = 'active' AND end_cause IS NULL AND expires_at > now() AND id <> ALL (public.locked_down(ARRAY[id])) FOR UPDATE),
living AS MATERIALIZED (SELECT id, clock_timestamp() AS at FROM locked)`;
const OF_LIVING = `FROM living WHERE l.id = $1 AND l.task_id = living.id AND l.state = 'active'`;

/** The store of running tasks on PostgreSQL. Concurrent calls never move an instant back. */
export class PgTaskStore implements TaskStore {
  constructor(
    private readonly pool: Pool,
    private readonly options: WakeUpOptions = WITH_WAKE_UPS,
  ) {}

  async find(taskId: TaskId): Promise<StoredTask | undefined> {
    const [tasks, leases] = await Promise.all([
      this.pool.query<TaskRow>({ name: 'find-task', text: FIND_TASK, values: [taskId] }),
      this.pool.query<LeaseRow>({ name: 'find-leases', text: FIND_LEASES, values: [taskId] }),
    ]).catch(databaseProblem);
    const row = tasks.rows[0];
    return row === undefined ? undefined : { ...taskOf(row), leases: leases.rows.map(leaseOf) };
  }

  renew({ taskId, expiresAt, dueAt, audit, wakeUps }: Renewal): Promise<boolean> {
    return inTransaction(this.pool, async (client) => {
      const { rowCount } = await client.query(
        `WITH living AS (${LIVING})
         UPDATE public.task t SET expires_at = greatest(expires_at, $2),
           heartbeat_at = CASE WHEN heartbeat_timeout_seconds IS NULL THEN heartbeat_at ELSE greatest(heartbeat_at, living.at) END
         FROM living WHERE t.id = living.id`,
        [taskId, expiresAt],
      );
      if (rowCount !== 1) return false;
      await client.query(
        `UPDATE public.lease SET expires_at = greatest(expires_at, $2), due_at = greatest(due_at, $3), version = version + 1
         WHERE task_id = $1 AND state = 'active'`,
        [taskId, expiresAt, dueAt],
      );
      if (this.options.wakeUps) await insertWakeUps(client, wakeUps);
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
         SET provider_expires_at = $2, issued_by = living.at, renew_requested_at = NULL ${OF_LIVING}`,
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

/** A row of `task`: every column that is NULL is left out of the task. */
type Stored = Omit<StoredTask, 'agent' | 'template' | 'leases' | 'origin'>;
type TaskRow = { readonly [Member in keyof Required<Stored>]: Stored[Member] | null } & {
  readonly agentId: Task['agent']['id'];
  readonly agentName: string;
  readonly templateName: string;
  readonly templateVersion: number;
  readonly parentId: TaskId | null;
  readonly rootId: TaskId | null;
  readonly depth: number;
  readonly actors: readonly AgentId[];
};
type LeaseRow = { readonly [Member in keyof Required<LivingLease>]: LivingLease[Member] | null };

const FIND_TASK = `
SELECT id, state, agent_id AS "agentId", agent_name AS "agentName", runtime, template_name AS "templateName",
  template_version AS "templateVersion", parameters, purpose, created_at AS "createdAt", expires_at AS "expiresAt",
  max_expires_at AS "maxExpiresAt", heartbeat_timeout_seconds AS "heartbeatTimeoutSeconds", heartbeat_at AS "heartbeatAt",
  end_cause AS "endCause", end_reason AS "endReason", end_requested_at AS "endRequestedAt", ended_at AS "endedAt",
  public.lockdown_of(id) AS "lockdownId", parent_id AS "parentId", root_id AS "rootId", depth, actors
FROM public.task WHERE id = $1`;

const FIND_LEASES = `
SELECT id, task_id AS "taskId", name, provider, connection, revocation, revocation_note AS "revocationNote",
  target AS "revocationPoint", state, scope, created_at AS "createdAt", expires_at AS "expiresAt",
  provider_expires_at AS "providerExpiresAt", end_cause AS "endCause", revoke_requested_at AS "revokeRequestedAt",
  revoke_effective_at AS "revokeEffectiveAt", ended_at AS "endedAt",
  confirmed_dead_at AS "confirmedDeadAt", renew_requested_at AS "renewRequestedAt", attempts,
  last_error AS "lastError", sealed_handle AS "sealedHandle"
FROM public.lease WHERE task_id = $1 ORDER BY id`;

function taskOf(row: TaskRow): Omit<StoredTask, 'leases'> {
  const { agentId, agentName, templateName, templateVersion, parentId, rootId, depth, actors, ...rest } = row;
  const agent = { id: agentId, name: agentName };
  const origin = parentId === null || rootId === null ? {} : { origin: { parentId, rootId, depth, actors } };
  return {
    ...{ agent, template: { name: templateName, version: templateVersion } },
    ...(withoutNulls(rest) as Omit<StoredTask, 'agent' | 'template' | 'leases' | 'origin'>),
    ...origin,
  };
}

function leaseOf(row: LeaseRow): LivingLease {
  return withoutNulls(row) as unknown as LivingLease;
}

function withoutNulls(row: object): object {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null));
}
