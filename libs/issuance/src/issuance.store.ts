import type { AuditEntry } from '@mayfly/audit';
import type { LeaseId, TaskId } from '@mayfly/kernel';
import type { Lease, QuotaLeft, QuotaLimits, Task } from '@mayfly/tasks';
import type { KeyHold } from './request.js';

/** A lease about to be written, with everything that revocation needs (I1). */
export interface LeaseIntent extends Lease {
  readonly scopeDigest: string;
  readonly sealedHandle: Buffer;
  readonly mintBy: Date;
  readonly dueAt: Date;
}

/** A wake-up for the worker. Losing it loses nothing: the sweeper finds the lease by its due time. */
export interface WakeUp {
  readonly leaseId: LeaseId;
  readonly reason: 'due' | 'retry';
  readonly runAt: Date;
}

/** Step 9: all that one transaction writes before a provider is called. */
export interface TaskIntent {
  readonly task: Task;
  readonly issuer: string;
  readonly subject: string;
  readonly requestedTtlSeconds?: number;
  readonly keyHold?: KeyHold;
  readonly leases: readonly LeaseIntent[];
  readonly quota: { readonly scope: string; readonly limits: QuotaLimits };
  readonly audit: readonly AuditEntry[];
  readonly wakeUps: readonly WakeUp[];
}

/**
 * - `opened`: everything is committed;
 * - `quota`: the scope has nothing left; nothing was written;
 * - `agent` or `template`: the agent is not active, or the version is not the one in force; nothing was written;
 * - `connection`: a connection of the task is disabled; nothing was written;
 * - `key`: the claim of the idempotency key lapsed, and another request has it; nothing was written;
 * - `clock`: this replica's clock disagrees with the database's by more than 5 s; nothing was written.
 */
export type OpenVerdict = 'opened' | 'quota' | 'agent' | 'template' | 'connection' | 'key' | 'clock';

/** A lease whose credential was minted and checked. */
export interface ActivatedLease {
  readonly id: LeaseId;
  /** the planned handle with what only the provider could know */
  readonly sealedHandle: Buffer;
  readonly providerExpiresAt: Date;
  readonly dueAt: Date;
}

/** Step 11: what became of the leases of one task. */
export interface TaskActivation {
  readonly taskId: TaskId;
  readonly leases: readonly ActivatedLease[];
  readonly audit: readonly AuditEntry[];
  readonly wakeUps: readonly WakeUp[];
}

/** The two commits of the path. Each call is atomic and is answered after its commit, never before (I2). */
export interface IssuanceStore {
  open(intent: TaskIntent): Promise<OpenVerdict>;
  /**
   * Adds to the recorded handle of a lease that is being minted what only the provider could know. True while the mint
   * may go on; of a task that was ended meanwhile the handle is kept all the same, for its revocation.
   */
  recordHandle(leaseId: LeaseId, sealedHandle: Buffer): Promise<boolean>;
  /** True when all leases became active; false when the task was ended meanwhile, and nothing was written. */
  activate(activation: TaskActivation): Promise<boolean>;
  quotaLeft(scope: string, limits: QuotaLimits): Promise<QuotaLeft>;
  /** Writes entries that belong to no change of state (denials). */
  record(entries: readonly AuditEntry[]): Promise<void>;
}
