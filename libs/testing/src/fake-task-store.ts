import type { Renewal, StoredTask, TaskStore } from '@mayfly/issuance';
import { type LeaseId, present, type TaskId } from '@mayfly/kernel';
import type { Task } from '@mayfly/tasks';
import type { FakeLease, FakeTaskRows } from './fake-task-rows.js';

/** The store of running tasks, in memory. */
export class FakeTaskStore implements TaskStore {
  /** Called after a renewal was committed, before the call returns. */
  afterRenewal: () => Promise<void> = async () => undefined;

  constructor(private readonly rows: FakeTaskRows) {}

  async find(taskId: TaskId): Promise<StoredTask | undefined> {
    this.rows.answer();
    const task = this.rows.tasks.get(taskId);
    if (task === undefined) return undefined;
    const leases = this.rows.leasesOf(taskId);
    return { ...task, leases, ...present({ lockdownId: this.rows.lockdownOf(task) }) };
  }

  async renew({ taskId, expiresAt, dueAt, audit, wakeUps }: Renewal): Promise<boolean> {
    const task = this.living(taskId);
    if (task === undefined) return false;
    const now = this.rows.clock.now();
    const beat = task.heartbeatTimeoutSeconds === undefined ? {} : { heartbeatAt: later(task.heartbeatAt ?? now, now) };
    this.rows.commit({
      tasks: [{ ...task, ...beat, expiresAt: later(task.expiresAt, expiresAt) }],
      leases: this.activeLeases(taskId).map((lease) => ({
        ...postponed(lease, dueAt),
        expiresAt: later(lease.expiresAt, expiresAt),
      })),
      audit,
      wakeUps,
    });
    await this.afterRenewal();
    return true;
  }

  async renewedAtProvider(leaseId: LeaseId, providerExpiresAt: Date): Promise<boolean> {
    const lease = this.rows.leaseRows.get(leaseId);
    if (lease?.state !== 'active' || this.living(lease.taskId) === undefined) return false;
    const { renewRequestedAt: _, ...rest } = lease;
    this.rows.commit({ leases: [{ ...rest, providerExpiresAt }] });
    return true;
  }

  async reissuing(leaseId: LeaseId): Promise<boolean> {
    const lease = this.rows.leaseRows.get(leaseId);
    return lease?.state === 'active' && this.living(lease.taskId) !== undefined;
  }

  async heartbeat(taskId: TaskId, at: Date, dueAt: Date): Promise<boolean> {
    const task = this.living(taskId);
    if (task === undefined) return false;
    const leases = this.activeLeases(taskId).map((lease) => postponed(lease, dueAt));
    this.rows.commit({ tasks: [{ ...task, heartbeatAt: later(task.heartbeatAt ?? at, at) }], leases });
    return true;
  }

  /** Returns the task, unless it is ending, has ended, is past its deadline, or a lockdown covers it. */
  private living(taskId: TaskId): Task | undefined {
    this.rows.answer();
    const task = this.rows.tasks.get(taskId);
    if (task?.state !== 'active' || task.endCause !== undefined) return undefined;
    const isOver = task.expiresAt <= this.rows.clock.now() || this.rows.lockdownOf(task) !== undefined;
    return isOver ? undefined : task;
  }

  private activeLeases(taskId: TaskId): readonly FakeLease[] {
    return this.rows.leasesOf(taskId).filter(({ state }) => state === 'active');
  }
}

function postponed(lease: FakeLease, dueAt: Date): FakeLease {
  return { ...lease, dueAt: later(lease.dueAt ?? dueAt, dueAt), version: lease.version + 1 };
}

/** Returns the later instant, since deadlines never move back in any order of calls. */
function later(one: Date, other: Date): Date {
  return one > other ? one : other;
}
