import { judgedScope, type JudgedScope, type ProviderRegistry } from '@mayfly/credentials';
import type { AgentId, Json, LeaseId, TaskId } from '@mayfly/kernel';
import type { UseCounter } from '@mayfly/tasks';
import { LRUCache } from 'lru-cache';

/** The members of a stored task that operations are decided by. None of them ever changes. */
export interface OperationTask {
  readonly id: TaskId;
  readonly agent: { readonly id: AgentId; readonly name: string };
  readonly runtime: string;
  readonly template: { readonly name: string; readonly version: number };
  /** the operations that the template version names for connections whose provider judges none */
  readonly operations: readonly string[];
  /** the counters that a use draws from: of the task, then of those above it; only those with a limit */
  readonly counters: readonly UseCounter[];
  readonly leases: readonly OperationLease[];
}

export interface OperationLease {
  readonly id: LeaseId;
  readonly name: string;
  readonly provider: string;
  readonly connection?: string;
  readonly scope: Json;
}

/** Port: reads tasks for operations. */
export interface OperationTasks {
  /** Returns undefined when there is no such task. Throws `unavailable`. */
  find(taskId: TaskId): Promise<OperationTask | undefined>;
}

/** A task with what its scopes say about operations. */
export interface KnownTask extends OperationTask {
  readonly leases: readonly KnownLease[];
}

export interface KnownLease extends OperationLease {
  /** absent when its provider judges no operation */
  readonly judged?: JudgedScope;
}

const MOST_TASKS = 5_000;

/** Reads each task once. It keeps only what never changes: whether a task lives is the commit's to say. */
export class KnownTasks {
  private readonly known = new LRUCache<TaskId, Promise<KnownTask | undefined>>({ max: MOST_TASKS });

  constructor(
    private readonly tasks: OperationTasks,
    private readonly providers: Pick<ProviderRegistry, 'find'>,
  ) {}

  find(taskId: TaskId): Promise<KnownTask | undefined> {
    const known = this.known.get(taskId);
    if (known !== undefined) return known;
    const reading = this.read(taskId);
    this.known.set(taskId, reading);
    const forget = (): void => void this.known.delete(taskId);
    reading.then((task) => task === undefined && forget(), forget);
    return reading;
  }

  private async read(taskId: TaskId): Promise<KnownTask | undefined> {
    const task = await this.tasks.find(taskId);
    if (task === undefined) return undefined;
    const leases = task.leases.map((lease) => {
      const provider = this.providers.find(lease.provider);
      const judged = provider && judgedScope(provider, lease.scope);
      return judged === undefined ? lease : { ...lease, judged };
    });
    return { ...task, leases };
  }
}
