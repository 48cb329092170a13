import type { ActivatedLease, TaskActivation } from '@mayfly/issuance';
import type { TaskId } from '@mayfly/kernel';
import type { ClientBase, Pool } from 'pg';
import { AUDIT_RECORDS } from '../audit/audit-rows.js';
import { RecordType } from '../database/records.js';
import { WAKE_UPS, type WakeUpOptions, WITH_WAKE_UPS } from './wake-ups.js';

const LEASES = new RecordType<ActivatedLease & { readonly taskId: TaskId }>('activated_lease', {
  id: (lease) => lease.id,
  task_id: (lease) => lease.taskId,
  sealed_handle: (lease) => lease.sealedHandle,
  provider_expires_at: (lease) => lease.providerExpiresAt,
  due_at: (lease) => lease.dueAt,
});

/**
 * Step 11 for many tasks, as one call of the function `activate_tasks`. Returns true for each activated task, in the
 * order of the activations.
 */
export async function activateTasks(
  client: ClientBase | Pool,
  activations: readonly TaskActivation[],
  options: WakeUpOptions = WITH_WAKE_UPS,
): Promise<boolean[]> {
  const leases = activations.flatMap(({ taskId, leases }) => leases.map((lease) => ({ taskId, ...lease })));
  const wakeUps = options.wakeUps
    ? activations.flatMap(({ taskId, wakeUps }) => wakeUps.map((wakeUp) => ({ taskId, ...wakeUp })))
    : [];
  const { rows } = await client.query<{ activated: TaskId[] }>({
    name: 'activate-tasks',
    text: 'SELECT public.activate_tasks($1, $2, $3, $4) AS activated',
    values: [
      activations.map(({ taskId }) => taskId),
      await LEASES.encode(client, leases),
      await AUDIT_RECORDS.encode(
        client,
        activations.flatMap(({ audit }) => audit),
      ),
      await WAKE_UPS.encode(client, wakeUps),
    ],
  });
  const activated = new Set(rows[0]?.activated);
  return activations.map(({ taskId }) => activated.has(taskId));
}
