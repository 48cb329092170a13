import type { AuditEntry } from '@mayfly/audit';
import type { IssuanceStore, KeptMaterial, KeyHold, OpenVerdict, TaskActivation, TaskIntent } from '@mayfly/issuance';
import type { LeaseId } from '@mayfly/kernel';
import type { QuotaLeft, QuotaLimits } from '@mayfly/tasks';
import type { FakeTaskRows } from './fake-task-rows.js';

/** The largest difference between the clocks of a replica and the database. */
const MAX_SKEW_MS = 5_000;

/** The two commits of the path, in memory. */
export class FakeIssuanceStore implements IssuanceStore {
  /** Called before a commit: a test can change state or fail here. */
  before: { open?: () => Promise<void>; activate?: () => Promise<void> } = {};
  /** Called after an activation was committed: a test can lose the answer here. */
  afterActivation: () => Promise<void> = async () => undefined;

  /** the material of the credentials with `probe` */
  readonly keptMaterial: KeptMaterial[] = [];

  constructor(private readonly rows: FakeTaskRows) {}

  async open(intent: TaskIntent): Promise<OpenVerdict> {
    await this.before.open?.();
    const objection = this.objectionTo(intent);
    if (objection !== undefined) return objection;
    this.rows.commit({
      tasks: [intent.task],
      leases: intent.leases.map((lease) => ({ ...lease, version: 1, claimedUntil: undefined })),
      audit: intent.audit,
      wakeUps: intent.wakeUps,
    });
    this.rows.issuers.set(intent.task.id, intent.issuer);
    this.rows.takeQuota(intent.quota.scope);
    this.bind(intent);
    return 'opened';
  }

  async recordHandle(leaseId: LeaseId, sealedHandle: Buffer): Promise<boolean> {
    this.rows.answer();
    const lease = this.rows.leaseRows.get(leaseId);
    if (lease?.state !== 'minting' && lease?.state !== 'revoking') return false;
    this.rows.commit({ leases: [{ ...lease, sealedHandle }] });
    return lease.state === 'minting';
  }

  async keepMaterial(kept: readonly KeptMaterial[]): Promise<void> {
    this.rows.answer();
    this.keptMaterial.push(...kept);
  }

  async activate({ taskId, leases, audit, wakeUps }: TaskActivation): Promise<boolean> {
    await this.before.activate?.();
    this.rows.answer();
    const task = this.rows.tasks.get(taskId);
    if (task?.state !== 'active' || task.endCause !== undefined) return false;
    if (this.rows.lockdownOf(task) !== undefined) return false;
    const active = leases.flatMap(({ id, ...activated }) => {
      const lease = this.rows.leaseRows.get(id);
      if (lease?.state !== 'minting') return [];
      return [{ ...lease, ...activated, state: 'active' as const, version: lease.version + 1 }];
    });
    if (active.length !== leases.length) return false;
    this.rows.commit({ leases: active, audit, wakeUps });
    await this.afterActivation();
    return true;
  }

  async quotaLeft(scope: string, limits: QuotaLimits): Promise<QuotaLeft> {
    this.rows.answer();
    return this.rows.quotaLeft(scope, limits);
  }

  async record(entries: readonly AuditEntry[]): Promise<void> {
    this.rows.commit({ audit: entries });
  }

  private bind({ task, keyHold }: TaskIntent): void {
    const key = keyHold === undefined ? undefined : this.rows.key(keyHold);
    if (keyHold !== undefined && key !== undefined) this.rows.setKey(keyHold, { ...key, taskId: task.id });
  }

  private isHeld(hold: KeyHold): boolean {
    const key = this.rows.key(hold);
    return key?.taskId === undefined && key?.claimedAt.toISOString() === hold.heldAt;
  }

  private objectionTo({
    task,
    issuer,
    leases,
    quota,
    keyHold,
  }: TaskIntent): Exclude<OpenVerdict, 'opened'> | undefined {
    this.rows.answer();
    if (Math.abs(this.rows.clock.now().getTime() - task.createdAt.getTime()) > MAX_SKEW_MS) return 'clock';
    if (this.rows.lockdownOver(task, issuer, leases) !== undefined) return 'lockdown';
    if (this.rows.agents.get(task.agent.id) !== 'active') return 'agent';
    if (this.rows.templates.get(task.template.name) !== task.template.version) return 'template';
    if (leases.some(({ connection = '' }) => this.rows.disabledConnections.has(connection))) return 'connection';
    if (keyHold !== undefined && !this.isHeld(keyHold)) return 'key';
    const left = this.rows.quotaLeft(quota.scope, quota.limits);
    return left.tasksThisMinute < 1 || left.concurrentTasks < 1 ? 'quota' : undefined;
  }
}
