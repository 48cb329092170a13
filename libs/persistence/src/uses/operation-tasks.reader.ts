import type { OperationLease, OperationTask, OperationTasks } from '@mayfly/enforcement';
import { type AgentId, Problem, type TaskId } from '@mayfly/kernel';
import { type UseCounter, narrowedLimitsOf, type UseQuota } from '@mayfly/tasks';
import type { Pool } from 'pg';
import { databaseUnread } from '../database/database-problem.js';

interface StoredQuota {
  readonly taskId: TaskId;
  readonly quota: UseQuota | null;
  /** the uses that the delegation of the task left to it */
  readonly uses: UseQuota['uses'] | null;
}

interface TaskRow {
  readonly agent_id: AgentId;
  readonly agent_name: string;
  readonly runtime: string;
  readonly template_name: string;
  readonly template_version: number;
  readonly operations: readonly string[] | null;
  /** of the task, then of those above it; a quota that is null belongs to a version that is not there */
  readonly quotas: readonly StoredQuota[];
  readonly leases: readonly (Omit<OperationLease, 'connection'> & { readonly connection: string | null })[] | null;
}

/**
 * A task with the quotas of the versions that it and the tasks above it keep, and what their delegations left. Nothing of
 * it ever changes.
 */
const FIND = `
WITH RECURSIVE path AS (
  SELECT t.id, t.parent_id, t.template_name, t.template_version, 0 AS up FROM public.task t WHERE t.id = $1
  UNION ALL
  SELECT above.id, above.parent_id, above.template_name, above.template_version, path.up + 1
  FROM path JOIN public.task above ON above.id = path.parent_id
)
SELECT t.agent_id, t.agent_name, t.runtime, t.template_name, t.template_version,
  (SELECT v.spec->'operations' FROM public.template_version v WHERE v.name = t.template_name AND v.version = t.template_version) AS operations,
  (SELECT jsonb_agg(jsonb_build_object('taskId', path.id, 'quota', v.spec->'quota', 'uses', d.uses) ORDER BY path.up)
   FROM path LEFT JOIN public.template_version v ON v.name = path.template_name AND v.version = path.template_version
     LEFT JOIN public.delegation d ON d.id = path.id) AS quotas,
  (SELECT jsonb_agg(jsonb_build_object('id', l.id, 'name', l.name, 'provider', l.provider, 'connection', l.connection, 'scope', l.scope) ORDER BY l.id)
   FROM public.lease l WHERE l.task_id = t.id) AS leases
FROM public.task t WHERE t.id = $1`;

/** Reads tasks for operations. */
export class OperationTasksReader implements OperationTasks {
  constructor(private readonly pool: Pool) {}

  async find(taskId: TaskId): Promise<OperationTask | undefined> {
    const { rows } = await this.pool
      .query<TaskRow>({ name: 'operation-task', text: FIND, values: [taskId] })
      .catch(databaseUnread);
    const [row] = rows;
    return row === undefined ? undefined : taskOf(taskId, row);
  }
}

function taskOf(id: TaskId, row: TaskRow): OperationTask {
  return {
    id,
    agent: { id: row.agent_id, name: row.agent_name },
    runtime: row.runtime,
    template: { name: row.template_name, version: row.template_version },
    operations: row.operations ?? [],
    counters: row.quotas.flatMap(counterOf),
    leases: (row.leases ?? []).map(({ connection, ...lease }) => ({
      ...lease,
      ...(connection === null ? {} : { connection }),
    })),
  };
}

/** INVARIANT: I7, a version that is not there limits everything. */
function counterOf({ taskId, quota, uses }: StoredQuota): UseCounter[] {
  if (quota === null)
    throw new Problem('internal', `the template version of task \`${taskId}\` is not in the database; restore it`);
  const limits = narrowedLimitsOf(quota, uses ?? undefined);
  return limits === undefined ? [] : [{ taskId, limits }];
}
