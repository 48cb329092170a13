import type { WakeUp } from '@mayfly/issuance';
import type { TaskId } from '@mayfly/kernel';
import { RecordType } from '../database/records.js';

/** Wake-ups of tasks as values of the type `wake_up_record`. */
export const WAKE_UPS = new RecordType<WakeUp & { readonly taskId: TaskId }>('wake_up_record', {
  task_id: ({ taskId }) => taskId,
  lease_id: ({ leaseId }) => leaseId,
  reason: ({ reason }) => reason,
  run_at: ({ runAt }) => runAt,
});
