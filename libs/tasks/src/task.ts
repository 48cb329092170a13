import type { AgentId, JsonObject, TaskId } from '@mayfly/kernel';

export type TaskState = 'active' | 'completed' | 'expired' | 'revoked' | 'failed';

/** Why a task ends. The first cause that is recorded stays. */
export type TaskEndCause =
  | 'completed'
  | 'failed'
  | 'expired'
  | 'revoked'
  | 'heartbeat_lost'
  | 'agent_suspended'
  | 'agent_retired'
  | 'issuance_failed';

/** The state in which a task ends, once its last lease is terminal. */
export const TERMINAL_STATE: Readonly<Record<TaskEndCause, Exclude<TaskState, 'active'>>> = {
  completed: 'completed',
  failed: 'failed',
  expired: 'expired',
  revoked: 'revoked',
  heartbeat_lost: 'revoked',
  agent_suspended: 'revoked',
  agent_retired: 'revoked',
  issuance_failed: 'failed',
};

/** One piece of work of one agent, and the lifetime of everything that was granted for it. */
export interface Task {
  readonly id: TaskId;
  readonly state: TaskState;
  readonly agent: { readonly id: AgentId; readonly name: string };
  readonly runtime: string;
  readonly template: { readonly name: string; readonly version: number };
  readonly parameters: JsonObject;
  readonly purpose: string;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  /** The end of the template's longest life: no renewal passes it. */
  readonly maxExpiresAt: Date;
  readonly heartbeatTimeoutSeconds?: number;
  readonly heartbeatAt?: Date;
  readonly endCause?: TaskEndCause;
  readonly endReason?: string;
  readonly endRequestedAt?: Date;
  readonly endedAt?: Date;
}

/** When the sweeper must look at a task that nobody ended: at its expiry, or when its heartbeat is overdue. */
export function dueAt(task: Pick<Task, 'expiresAt' | 'heartbeatTimeoutSeconds'>, heartbeatAt: Date): Date {
  if (task.heartbeatTimeoutSeconds === undefined) return task.expiresAt;
  const lost = heartbeatAt.getTime() + task.heartbeatTimeoutSeconds * 1000;
  return new Date(Math.min(lost, task.expiresAt.getTime()));
}
