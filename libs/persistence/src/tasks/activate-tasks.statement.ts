import type { TaskActivation } from '@mayfly/issuance';
import type { ClientBase, Pool } from 'pg';
import { AUDIT_COLUMNS, auditColumns, auditUnnest } from '../audit/audit-rows.js';
import { columnsOf } from '../database/columns.js';

/**
 * Step 11 for many tasks at once: activates every lease of a task with its audit entries. Changes nothing for a task
 * that was ended meanwhile (its leases are no longer `minting`). Locks the task row first.
 */
const ACTIVATE_TASKS = `
WITH living AS MATERIALIZED (
  SELECT id FROM public.task WHERE id = ANY($1::text[]) AND state = 'active' AND end_cause IS NULL ORDER BY id FOR UPDATE
), minted AS (
  SELECT m.* FROM unnest($2::text[], $3::text[], $4::bytea[], $5::timestamptz[], $6::timestamptz[])
    AS m(id, task_id, sealed_handle, provider_expires_at, due_at) JOIN living t ON t.id = m.task_id
), new_active AS (
  UPDATE public.lease l SET state = 'active', sealed_handle = m.sealed_handle, provider_expires_at = m.provider_expires_at,
    due_at = m.due_at, issued_by = clock_timestamp(), version = l.version + 1
  FROM minted m WHERE l.id = m.id AND l.state = 'minting' RETURNING l.task_id
), new_audit AS (
  INSERT INTO public.audit_entry (${AUDIT_COLUMNS})
  SELECT e.* FROM ${auditUnnest(7)} AS e(${AUDIT_COLUMNS}) JOIN living t ON t.id = e.task_id
), new_wake_up AS (
  INSERT INTO public.outbox (lease_id, reason, run_at)
  SELECT w.lease_id, w.reason, w.run_at
  FROM unnest($14::text[], $15::text[], $16::text[], $17::timestamptz[]) AS w(task_id, lease_id, reason, run_at)
  JOIN living t ON t.id = w.task_id
)
SELECT DISTINCT task_id AS id FROM new_active`;

/** Runs the statement; returns true for each activated task, in the order of the activations. */
export async function activateTasks(
  client: ClientBase | Pool,
  activations: readonly TaskActivation[],
): Promise<boolean[]> {
  const leases = activations.flatMap(({ taskId, leases }) => leases.map((lease) => ({ taskId, ...lease })));
  const wakeUps = activations.flatMap(({ taskId, wakeUps }) => wakeUps.map((wakeUp) => ({ taskId, ...wakeUp })));
  const result = await client.query<{ id: string }>({
    name: 'activate-tasks',
    text: ACTIVATE_TASKS,
    values: [
      activations.map(({ taskId }) => taskId),
      ...columnsOf(leases, [
        (row) => row.id,
        (row) => row.taskId,
        (row) => row.sealedHandle,
        (row) => row.providerExpiresAt,
        (row) => row.dueAt,
      ]),
      ...auditColumns(activations.flatMap(({ audit }) => audit)),
      ...columnsOf(wakeUps, [(row) => row.taskId, (row) => row.leaseId, (row) => row.reason, (row) => row.runAt]),
    ],
  });
  const active = new Set(result.rows.map(({ id }) => id));
  return activations.map(({ taskId }) => active.has(taskId));
}
