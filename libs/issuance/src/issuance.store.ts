import type { AuditEntry } from '@mayfly/audit';
import type { LeaseId, TaskId } from '@mayfly/kernel';
import type { Lease, QuotaLeft, QuotaLimits, Task } from '@mayfly/tasks';
import type { KeyHold } from './request.js';

/** A lease to write before its mint, with all the data that revocation needs (I1). */
export interface LeaseIntent extends Lease {
  readonly scopeDigest: string;
  readonly sealedHandle: Buffer;
  readonly mintBy: Date;
  readonly dueAt: Date;
}

/** A wake-up for the worker. A lost wake-up is harmless: the sweeper finds the lease by its due time. */
export interface WakeUp {
  readonly leaseId: LeaseId;
  readonly reason: 'due' | 'retry';
  readonly runAt: Date;
}

/** Step 9: the rows that one transaction writes before any provider is called. */
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
 * - `opened`: all rows are committed;
 * - `quota`: the quota scope is exhausted; nothing was written;
 * - `lockdown`: a lockdown in force covers the task; nothing was written;
 * - `agent` or `template`: the agent is not active, or the template version is not in force; nothing was written;
 * - `connection`: a connection of the task is disabled; nothing was written;
 * - `key`: the hold on the idempotency key lapsed and another request took it; nothing was written;
 * - `delegation`: the delegation was accepted or has lapsed; nothing was written;
 * - `parent`: the parent ends, has ended, or would end before the child; nothing was written;
 * - `clock`: this replica's clock differs from the database's by more than 5 s; nothing was written.
 */
export type OpenVerdict =
  'opened' | 'quota' | 'lockdown' | 'agent' | 'template' | 'connection' | 'key' | 'delegation' | 'parent' | 'clock';

/** A lease whose credential was minted and checked. */
export interface ActivatedLease {
  readonly id: LeaseId;
  /** the planned handle plus the members that only the provider knows after the mint */
  readonly sealedHandle: Buffer;
  readonly providerExpiresAt: Date;
  readonly dueAt: Date;
}

/** The sealed material of a credential that Mayfly uses after its end, to show that it is dead. */
export interface KeptMaterial {
  readonly leaseId: LeaseId;
  readonly sealedMaterial: Buffer;
}

/** Step 11: the activated leases of one task, with their audit entries and wake-ups. */
export interface TaskActivation {
  readonly taskId: TaskId;
  readonly leases: readonly ActivatedLease[];
  readonly audit: readonly AuditEntry[];
  readonly wakeUps: readonly WakeUp[];
}

/**
 * Port: the two commits of the path. Each call is atomic and resolves only after its commit (I2). Throws `unavailable`.
 */
export interface IssuanceStore {
  /** Step 9: writes all rows of the intent, or none; the verdict says why none. */
  open(intent: TaskIntent): Promise<OpenVerdict>;
  /**
   * Replaces the recorded handle of a lease that is being minted, to add members that only the provider knows. True
   * while the mint may continue. When the task was ended meanwhile, the handle is saved for revocation and the result
   * is false.
   */
  recordHandle(leaseId: LeaseId, sealedHandle: Buffer): Promise<boolean>;
  /**
   * Keeps the material of credentials whose death Mayfly will show, before their activation: also a lease that never
   * becomes active is then shown to be dead.
   */
  keepMaterial(kept: readonly KeptMaterial[]): Promise<void>;
  /**
   * True when all leases became active; false when the task was ended meanwhile or a lockdown covers it: then nothing
   * was written.
   */
  activate(activation: TaskActivation): Promise<boolean>;
  /** Reads the quota that is left in a scope now. Takes none of it. */
  quotaLeft(scope: string, limits: QuotaLimits): Promise<QuotaLeft>;
  /** Writes audit entries without a change of state, such as denials. */
  record(entries: readonly AuditEntry[]): Promise<void>;
}
