import type { WakeUp } from '@mayfly/issuance';
import type { TaskId } from '@mayfly/kernel';
import type { ClientBase } from 'pg';
import { RecordType } from '../database/records.js';

/** Without a queue nobody takes wake-ups from the outbox, so no store writes them. The sweep needs none (I3). */
export interface WakeUpOptions {
  readonly wakeUps: boolean;
}

export const WITH_WAKE_UPS: WakeUpOptions = { wakeUps: true };

/** Wake-ups of tasks as values of the type `wake_up_record`. */
export const WAKE_UPS = new RecordType<WakeUp & { readonly taskId: TaskId }>('wake_up_record', {
  task_id: ({ taskId }) => taskId,
  lease_id: ({ leaseId }) => leaseId,
  reason: ({ reason }) => reason,
  run_at: ({ runAt }) => runAt,
});

/** Writes wake-ups in the caller's transaction. */
export async function insertWakeUps(client: ClientBase, wakeUps: readonly WakeUp[]): Promise<void> {
  await client.query(
    `INSERT INTO public.outbox (lease_id, reason, run_at) SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[])`,
    [wakeUps.map((one) => one.leaseId), wakeUps.map((one) => one.reason), wakeUps.map((one) => one.runAt)],
  );
}
