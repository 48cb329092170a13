import type { AuditEntry } from '@mayfly/audit';
import type { LeaseId, TaskId } from '@mayfly/kernel';
import type { Lease, Task } from '@mayfly/tasks';
import type { WakeUp } from './issuance.store.js';

export interface Renewal {
  readonly taskId: TaskId;
  readonly expiresAt: Date;
  readonly dueAt: Date;
  readonly audit: readonly AuditEntry[];
  readonly wakeUps: readonly WakeUp[];
}

/** A lease of a living task, as renewal needs it. */
export interface LivingLease extends Lease {
  readonly sealedHandle: Uint8Array;
}

/** The store of what happens in the middle of a task. */
export interface TaskStore {
  /** The task, or undefined. */
  find(taskId: TaskId): Promise<(Task & { readonly leases: readonly LivingLease[] }) | undefined>;
  /** Moves the granted deadline of a living task, or none of it; false when it is ending or ended. */
  renew(renewal: Renewal): Promise<boolean>;
  /** Before something new is issued under a lease: nothing of it will be issued after `issuedBy`. False as above. */
  reissuing(leaseId: LeaseId, issuedBy: Date): Promise<boolean>;
  /**
   * Notes the provider's new expiry, and that nothing of this lease was issued after now; false when the task is ending
   * or ended, and nothing may be given out any more.
   */
  renewedAtProvider(leaseId: LeaseId, providerExpiresAt: Date): Promise<boolean>;
  /** Notes a sign of life; false when the task is ending or ended. */
  heartbeat(taskId: TaskId, at: Date, dueAt: Date): Promise<boolean>;
}
