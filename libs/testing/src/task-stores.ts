import type { AuditHistory } from '@mayfly/audit';
import type { IdentityUses } from '@mayfly/identity';
import type { FactStore, IssuanceStore, KeyHoldStore, TaskStore, WakeUp } from '@mayfly/issuance';
import type { DecisionStore } from '@mayfly/policy';
import type { ClosingStore } from '@mayfly/revocation';
import type { AgentId, Clock, LeaseId, LockdownId, TaskId } from '@mayfly/kernel';
import type { LeaseState, LockdownScope, TaskEndCause, TaskState } from '@mayfly/tasks';

/** The columns of a stored lease that suites may read. */
export interface LeaseView {
  readonly id: LeaseId;
  readonly state: LeaseState;
  readonly dueAt: Date | undefined;
  readonly expiresAt: Date;
  readonly providerExpiresAt: Date | undefined;
  readonly endCause: string | undefined;
  readonly revokeRequestedAt: Date | undefined;
  readonly revokeEffectiveAt: Date | undefined;
  readonly attempts: number;
  readonly lastError: string | undefined;
}

/** The columns of a stored task that suites may read. */
export interface TaskView {
  readonly state: TaskState;
  readonly endCause: TaskEndCause | undefined;
  readonly endReason: string | undefined;
  readonly expiresAt: Date;
  readonly liveLeases: number;
}

/** Sets the state behind the stores and reads the rows that they wrote. */
export interface TaskScene {
  /** the clock of the stores */
  readonly clock: Clock;
  /** Moves the clock forward. */
  advance(seconds: number): Promise<void>;
  setAgent(id: AgentId, state: 'active' | 'suspended'): Promise<void>;
  /** Puts this version in force; without one, retires the template. */
  setTemplate(name: string, version: number | undefined): Promise<void>;
  /** Engages a lockdown. Ends no task. */
  lockDown(scope: LockdownScope): Promise<LockdownId>;
  /** Disables a connection. */
  disableConnection(name: string): Promise<void>;
  task(taskId: TaskId): Promise<TaskView | undefined>;
  /** Returns the leases of a task, by id. */
  leases(taskId: TaskId): Promise<readonly LeaseView[]>;
  /** Returns the types of a task's audit entries, in the order of their writes. */
  auditTypes(taskId: TaskId): Promise<readonly string[]>;
  /** Returns the bodies of all audit entries. */
  auditBodies(): Promise<readonly string[]>;
  wakeUps(leaseId: LeaseId): Promise<readonly WakeUp[]>;
  /** Returns the number of running tasks of a quota scope. */
  runningTasks(scope: string): Promise<number>;
}

/** The three stores of tasks over the same rows. */
export interface TaskStores {
  readonly issuance: IssuanceStore;
  readonly closing: ClosingStore;
  readonly tasks: TaskStore;
  readonly decisions: DecisionStore;
  readonly facts: FactStore;
  /** reads the audit entries of a task */
  readonly story: Pick<AuditHistory, 'story'>;
  readonly scene: TaskScene;
}

/** All stores of a request for a task, over the same rows. */
export interface RequestStores extends TaskStores {
  readonly keyHolds: KeyHoldStore;
  readonly identityUses: IdentityUses;
}
