import type { AuditEntry } from '@mayfly/audit';
import type { KeyHold, LeaseIntent, WakeUp } from '@mayfly/issuance';
import { type AgentId, type LeaseId, type LockdownId, newId, Problem, type TaskId } from '@mayfly/kernel';
import {
  covers,
  isTerminal,
  type EngagedLockdown,
  type LockdownScope,
  type QuotaLeft,
  type QuotaLimits,
  type Task,
} from '@mayfly/tasks';
import { FakeDecisionStore } from './fake-decision-store.js';
import type { LeaseView, TaskScene, TaskView } from './task-stores.js';
import { TestClock } from './test-clock.js';

export interface FakeLease extends Omit<LeaseIntent, 'dueAt'> {
  readonly version: number;
  readonly dueAt: Date | undefined;
  readonly claimedUntil: Date | undefined;
}

/** One key. `taskId` is undefined until the commit of step 9 binds the key. */
export interface FakeKey {
  readonly fingerprint: string;
  readonly claimedAt: Date;
  readonly taskId?: TaskId;
  readonly sealedAnswer?: Buffer;
  readonly replayUntil?: Date;
}

/** A key of one owner. */
type KeyName = Omit<KeyHold, 'heldAt'>;

/** The writes of one transaction of a fake store, all or nothing. */
export interface FakeChange {
  readonly tasks?: readonly Task[];
  readonly leases?: readonly FakeLease[];
  readonly audit?: readonly AuditEntry[];
  readonly wakeUps?: readonly WakeUp[];
}

/**
 * The rows that the fake stores share, as replicas share a database. Calls never overlap, since JavaScript runs one at
 * a time.
 */
export class FakeTaskRows implements TaskScene {
  readonly clock = new TestClock();
  readonly tasks = new Map<TaskId, Task>();
  readonly leaseRows = new Map<LeaseId, FakeLease>();
  readonly audit: AuditEntry[] = [];
  /** also those that audit entries carry */
  readonly decisions = new FakeDecisionStore();
  readonly outbox: WakeUp[] = [];
  readonly agents = new Map<AgentId, string>();
  readonly templates = new Map<string, number>();
  readonly disabledConnections = new Set<string>();
  readonly lockdowns: EngagedLockdown[] = [];
  /** the issuer that vouched for the agent of each task */
  readonly issuers = new Map<TaskId, string>();
  /** The seconds at which each scope granted a task, for the per-minute limit. */
  private readonly grants = new Map<string, number[]>();
  /** the leases of each task */
  private readonly leaseIds = new Map<TaskId, Set<LeaseId>>();
  private readonly running = new Map<string, number>();
  private readonly keys = new Map<string, FakeKey>();
  /** When true, every call rejects as with a database that is down. */
  down = false;
  /** When true, every transaction with an audit entry fails. */
  auditFails = false;

  /** Throws `unavailable` while the database is down. */
  answer(): void {
    if (this.down) throw new Problem('unavailable', 'the database did not commit the change; try again');
  }

  /**
   * Writes the whole change, or throws `unavailable` and writes nothing. INVARIANT: I5, a terminal state has no next
   * state.
   */
  commit(change: FakeChange): void {
    const { tasks, leases, audit, wakeUps } = { tasks: [], leases: [], audit: [], wakeUps: [], ...change };
    this.answer();
    if (this.auditFails && audit.length > 0) throw new Problem('unavailable', 'the audit cannot be written');
    leases.forEach((lease) => {
      this.refuseToLeaveTerminal(lease);
    });
    for (const lease of leases) {
      this.leaseRows.set(lease.id, lease);
      this.leaseIds.set(lease.taskId, (this.leaseIds.get(lease.taskId) ?? new Set()).add(lease.id));
    }
    for (const task of tasks) this.tasks.set(task.id, task);
    this.audit.push(...audit);
    for (const { decision } of audit) if (decision !== undefined) this.decisions.bodies.set(decision.id, decision.body);
    this.outbox.push(...wakeUps);
  }

  leasesOf(taskId: TaskId): readonly FakeLease[] {
    return [...(this.leaseIds.get(taskId) ?? [])].flatMap((id) => this.leaseRows.get(id) ?? []);
  }

  /** Returns the quota left now. A grant counts for 61 whole seconds, so that it bounds every sliding minute. */
  quotaLeft(scope: string, limits: QuotaLimits): QuotaLeft {
    const second = Math.floor(this.clock.now().getTime() / 1000);
    const minute = (this.grants.get(scope) ?? []).filter((at) => at >= second - 60);
    return {
      tasksThisMinute: Math.max(0, limits.tasksPerMinute - minute.length),
      concurrentTasks: Math.max(0, limits.concurrentTasks - (this.running.get(scope) ?? 0)),
    };
  }

  takeQuota(scope: string): void {
    const second = Math.floor(this.clock.now().getTime() / 1000);
    this.grants.set(scope, [...(this.grants.get(scope) ?? []), second]);
    this.running.set(scope, (this.running.get(scope) ?? 0) + 1);
  }

  giveQuotaBack(scope: string): void {
    this.running.set(scope, (this.running.get(scope) ?? 0) - 1);
  }

  key(name: KeyName): FakeKey | undefined {
    return this.keys.get(rowOf(name));
  }

  /** Writes the row of a key; without one, deletes it. */
  setKey(name: KeyName, key: FakeKey | undefined): void {
    if (key === undefined) this.keys.delete(rowOf(name));
    else this.keys.set(rowOf(name), key);
  }

  async advance(seconds: number): Promise<void> {
    this.clock.advance(seconds);
  }

  async lockDown(scope: LockdownScope): Promise<LockdownId> {
    const id = newId('lkd');
    this.lockdowns.push({ id, scope });
    return id;
  }

  /** Returns a lockdown in force that covers a stored task. */
  lockdownOf(task: Task): LockdownId | undefined {
    return this.lockdownOver(task, this.issuers.get(task.id) ?? '', this.leasesOf(task.id));
  }

  /** Returns a lockdown in force that covers a task with these leases. Owners are not kept here. */
  lockdownOver(task: Task, issuer: string, leases: readonly Pick<LeaseIntent, 'connection'>[]): LockdownId | undefined {
    const { id: taskId, agent, template, runtime } = task;
    const connections = leases.flatMap(({ connection }) => connection ?? []);
    const subject = { taskId, agent: agent.name, template: template.name, runtime, issuer, connections, owners: [] };
    return this.lockdowns.find(({ scope }) => covers(scope, subject))?.id;
  }

  async disableConnection(name: string): Promise<void> {
    this.disabledConnections.add(name);
  }

  async setAgent(id: AgentId, state: 'active' | 'suspended'): Promise<void> {
    this.agents.set(id, state);
  }

  async setTemplate(name: string, version: number | undefined): Promise<void> {
    if (version === undefined) this.templates.delete(name);
    else this.templates.set(name, version);
  }

  async task(taskId: TaskId): Promise<TaskView | undefined> {
    const task = this.tasks.get(taskId);
    if (task === undefined) return undefined;
    const { state, endCause, endReason, expiresAt } = task;
    const liveLeases = this.leasesOf(taskId).filter((lease) => !isTerminal(lease.state)).length;
    return { state, endCause, endReason, expiresAt, liveLeases };
  }

  async leases(taskId: TaskId): Promise<readonly LeaseView[]> {
    return this.leasesOf(taskId).map((lease) => ({
      id: lease.id,
      state: lease.state,
      dueAt: lease.dueAt,
      expiresAt: lease.expiresAt,
      providerExpiresAt: lease.providerExpiresAt,
      endCause: lease.endCause,
      revokeRequestedAt: lease.revokeRequestedAt,
      revokeEffectiveAt: lease.revokeEffectiveAt,
      attempts: lease.attempts,
      lastError: lease.lastError,
    }));
  }

  async auditTypes(taskId: TaskId): Promise<readonly string[]> {
    return this.audit.filter((entry) => entry.taskId === taskId).map(({ type }) => type);
  }

  async auditBodies(): Promise<readonly string[]> {
    return this.audit.map(({ body }) => body);
  }

  async wakeUps(leaseId: LeaseId): Promise<readonly WakeUp[]> {
    return this.outbox.filter((wakeUp) => wakeUp.leaseId === leaseId);
  }

  async runningTasks(scope: string): Promise<number> {
    return this.running.get(scope) ?? 0;
  }

  private refuseToLeaveTerminal({ id, state }: FakeLease): void {
    const before = this.leaseRows.get(id)?.state;
    if (before === undefined || !isTerminal(before) || before === state) return;
    throw new Error(`lease ${id} is ${before}, which is final`);
  }
}

function rowOf({ agentId, runtime, issuer, subject, key }: KeyName): string {
  return JSON.stringify([agentId, runtime, issuer, subject, key]);
}
