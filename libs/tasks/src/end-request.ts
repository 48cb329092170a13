import type { Actor } from '@mayfly/audit';
import type { LeaseId, TaskId } from '@mayfly/kernel';
import type { TaskEndCause } from './task.js';

/** The request to end a task, with its cause and its author. */
export interface EndRequest {
  readonly taskId: TaskId;
  readonly cause: TaskEndCause;
  readonly reason?: string;
  readonly actor: Actor;
  /** Leases whose mint is proven to have had no effect: they become `failed`. */
  readonly neverMinted?: readonly LeaseId[];
  /** Leases whose mint has ended: they can be closed at once, before their `mintBy`. */
  readonly minted?: readonly LeaseId[];
}
