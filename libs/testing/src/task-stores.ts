import type { IssuanceStore, TaskStore, WakeUp } from '@mayfly/issuance';
import type { ClosingStore } from '@mayfly/revocation';
import type { AgentId, Clock, LeaseId, TaskId } from '@mayfly/kernel';
import type { LeaseState, TaskEndCause, TaskState } from '@mayfly/tasks';

/** What a suite may know of a stored lease. */
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

/** What a suite may know of a stored task. */
export interface TaskView {
  readonly state: TaskState;
  readonly endCause: TaskEndCause | undefined;
  readonly endReason: string | undefined;
  readonly expiresAt: Date;
  readonly liveLeases: number;
}

/** Sets the scene behind the stores and looks at what they wrote. */
export interface TaskScene {
  /** the time by which the stores judge */
  readonly clock: Clock;
  /** Lets time pass. */
  advance(seconds: number): Promise<void>;
  setAgent(id: AgentId, state: 'active' | 'suspended'): Promise<void>;
  /** Puts this version in force; without one, the template is retired. */
  setTemplate(name: string, version: number | undefined): Promise<void>;
  /** Takes a connection out of use. */
  disableConnection(name: string): Promise<void>;
  task(taskId: TaskId): Promise<TaskView | undefined>;
  /** The leases of a task, by id. */
  leases(taskId: TaskId): Promise<readonly LeaseView[]>;
  /** The types of the audit entries that concern a task, in the order in which they were made. */
  auditTypes(taskId: TaskId): Promise<readonly string[]>;
  wakeUps(leaseId: LeaseId): Promise<readonly WakeUp[]>;
  /** How many tasks a quota scope counts as running. */
  runningTasks(scope: string): Promise<number>;
}

/** The three stores of issuance over the same rows. */
export interface TaskStores {
  readonly issuance: IssuanceStore;
  readonly closing: ClosingStore;
  readonly tasks: TaskStore;
  readonly scene: TaskScene;
}
