import type { AuditEntry } from '@mayfly/audit';
import type { LeaseId, LockdownId, TaskId } from '@mayfly/kernel';
import type { Lease, Task } from '@mayfly/tasks';
import type { WakeUp } from './issuance.store.js';

/** The new deadline of a task and of its leases. */
export interface Renewal {
  readonly taskId: TaskId;
  readonly expiresAt: Date;
  readonly dueAt: Date;
  readonly audit: readonly AuditEntry[];
  readonly wakeUps: readonly WakeUp[];
}

/** A lease of a living task, with its sealed handle. */
export interface LivingLease extends Lease {
  readonly sealedHandle: Uint8Array;
}

/** A stored task with its leases. */
export interface StoredTask extends Task {
  readonly leases: readonly LivingLease[];
  /** the lockdown in force that covers the task: it gets nothing more, also before its end is recorded */
  readonly lockdownId?: LockdownId;
}

/**
 * Port: changes of a task between issuance and its end. Each answers false when the task is ending or has ended, or when
 * a lockdown covers it.
 */
export interface TaskStore {
  /** Returns the task, or undefined. */
  find(taskId: TaskId): Promise<StoredTask | undefined>;
  /** Moves the granted deadline of the task and of all its active leases. */
  renew(renewal: Renewal): Promise<boolean>;
  /** Records, before a renewal issues a credential, the latest instant at which it can be issued. */
  reissuing(leaseId: LeaseId, issuedBy: Date): Promise<boolean>;
  /**
   * Records the provider's new expiry, and now as the latest instant of issue. After `false` the caller must not deliver
   * the credential.
   */
  renewedAtProvider(leaseId: LeaseId, providerExpiresAt: Date): Promise<boolean>;
  /** Records a heartbeat. */
  heartbeat(taskId: TaskId, at: Date, dueAt: Date): Promise<boolean>;
}
