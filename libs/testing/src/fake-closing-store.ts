import { type Actor, auditEntry, type AuditEntry, type AuditEntryType, type EntryFacts, MAYFLY } from '@mayfly/audit';
import {
  type AbandonRequest,
  type AbandonResult,
  CLAIM_SECONDS,
  type ClosingResult,
  type ClosingStore,
  type LeaseClaim,
} from '@mayfly/revocation';
import {
  type EndRequest,
  isTerminal,
  isAbandonable,
  quotaScope,
  type Task,
  type TaskEndCause,
  TERMINAL_STATE,
} from '@mayfly/tasks';
import { addSeconds, present, type LeaseId } from '@mayfly/kernel';
import type { FakeLease, FakeTaskRows } from './fake-task-rows.js';

type Closed = Exclude<ClosingResult, { readonly state: 'revoking' }>;

interface Marking {
  readonly minted: ReadonlySet<LeaseId>;
  readonly actor: Actor;
  readonly claimSeconds: number;
}

/** The store of revocation, in memory. */
export class FakeClosingStore implements ClosingStore {
  /** Called before results are written: a test can freeze a worker here. */
  beforeRecord: (results: readonly ClosingResult[]) => Promise<void> = async () => undefined;

  constructor(private readonly rows: FakeTaskRows) {}

  async requestEnd(request: EndRequest): Promise<readonly LeaseClaim[]> {
    return this.end(request, CLAIM_SECONDS);
  }

  /** Ends these tasks as the change of an agent does. Claims nothing: a worker closes the leases. */
  async endUnclaimed(requests: readonly EndRequest[]): Promise<void> {
    for (const request of requests) this.end(request, 0);
  }

  private end(request: EndRequest, claimSeconds: number): readonly LeaseClaim[] {
    this.rows.answer();
    const task = this.rows.tasks.get(request.taskId);
    if (task?.state !== 'active') return [];
    const ending = this.endWith(task, request.cause, request.actor, request.reason);
    for (const lease of this.rows.leasesOf(task.id)) {
      const failed = lease.state === 'minting' && request.neverMinted?.includes(lease.id) === true;
      if (failed) this.close(lease, 'failed', this.rows.clock.now(), 'issuance_failed');
    }
    const minted = new Set(request.minted);
    return this.mark(this.rows.leasesOf(task.id), ending, { minted, actor: request.actor, claimSeconds });
  }

  async claimDue(options: Parameters<ClosingStore['claimDue']>[0]): Promise<readonly LeaseClaim[]> {
    this.rows.answer();
    const { limit, leaseId, busyConnections = [], busyLanes = [], limitPerLane = limit } = options;
    const taken = new Map<string, number>();
    const laneOf = (connection: string, agent: string): string => JSON.stringify([connection, agent]);
    const busy = new Set(busyLanes.map(({ connection, agent }) => laneOf(connection, agent)));
    const fits = (connection: string | undefined, agent: string): boolean => {
      if (connection === undefined) return true;
      const lane = laneOf(connection, agent);
      taken.set(lane, (taken.get(lane) ?? 0) + 1);
      return (taken.get(lane) ?? 0) <= limitPerLane;
    };
    const due = [...this.rows.leaseRows.values()]
      .filter((lease) => this.isDue(lease) && !this.isClaimed(lease))
      .filter(({ id }) => leaseId === undefined || id === leaseId)
      .filter(({ connection }) => connection === undefined || !busyConnections.includes(connection))
      .filter((lease) => !busy.has(laneOf(lease.connection ?? '', this.agentOf(lease))))
      .sort((left, right) => (left.dueAt?.getTime() ?? 0) - (right.dueAt?.getTime() ?? 0))
      .filter((lease) => fits(lease.connection, this.agentOf(lease)))
      .slice(0, limit);
    return due.flatMap((lease) => {
      const task = this.rows.tasks.get(lease.taskId);
      if (task === undefined) return [];
      const ending = this.endWith(task, this.causeOf(task), MAYFLY);
      return this.mark([lease], ending, { minted: new Set(), actor: MAYFLY, claimSeconds: CLAIM_SECONDS });
    });
  }

  async record(results: readonly ClosingResult[]): Promise<void> {
    await this.beforeRecord(results);
    this.rows.answer();
    for (const result of results) {
      const lease = this.rows.leaseRows.get(result.claim.id);
      if (lease?.version !== result.claim.version) continue;
      if (result.state === 'revoking') this.postpone(lease, result.retryAt, result.error, result.effectiveAt);
      else this.close(lease, result.state, result.effectiveAt, result.claim.cause, result.remains);
    }
  }

  async abandon({ leaseId, reason, actor }: AbandonRequest): Promise<AbandonResult | undefined> {
    this.rows.answer();
    const lease = this.rows.leaseRows.get(leaseId);
    const task = lease === undefined ? undefined : this.rows.tasks.get(lease.taskId);
    if (lease === undefined || task === undefined) return undefined;
    const { taskId, state, expiresAt, lastError, provider } = lease;
    const found = { taskId, state, expiresAt, ...present({ lastError }) };
    const now = this.rows.clock.now();
    if (!isAbandonable(found, now)) return { found };
    const gone = { dueAt: undefined, claimedUntil: undefined, endedAt: now, version: lease.version + 1 };
    const facts = { provider, cause: lease.endCause ?? '', reason, expiresAt: expiresAt.toISOString() };
    this.rows.commit({
      leases: [{ ...lease, ...gone, state: 'abandoned' }],
      audit: [this.entry('lease.abandoned', { ...facts, ...present({ lastError }) }, task, actor, leaseId)],
    });
    this.finishIfLast(task);
    return { found, abandonedAt: now };
  }

  /** Returns the task with its end recorded; an earlier end keeps its cause. */
  private endWith(task: Task, endCause: TaskEndCause, actor: Actor, endReason?: string): Task {
    if (task.endCause !== undefined) return task;
    const reason = endReason === undefined ? {} : { endReason };
    const ending = { ...task, endCause, endRequestedAt: this.rows.clock.now(), ...reason };
    this.rows.commit({
      tasks: [ending],
      audit: [this.entry('task.ending', { cause: endCause, ...present({ reason: endReason }) }, task, actor)],
    });
    return ending;
  }

  private causeOf(task: Task): TaskEndCause {
    if (task.expiresAt <= this.rows.clock.now()) return 'expired';
    return this.rows.leasesOf(task.id).some(({ state }) => state === 'minting') ? 'issuance_failed' : 'heartbeat_lost';
  }

  private mark(leases: readonly FakeLease[], task: Task, { minted, actor, claimSeconds }: Marking): LeaseClaim[] {
    return leases
      .filter((lease) => !isTerminal(lease.state) && !this.isClaimed(lease))
      .flatMap((lease) => {
        const closable = minted.has(lease.id) || this.isClosable(lease);
        const revoking = this.revoking(lease, task);
        const marked = closable ? this.claimed(revoking, claimSeconds) : revoking;
        const audit =
          lease.state === 'revoking'
            ? []
            : [
                this.entry(
                  'lease.revoking',
                  { name: lease.name, provider: lease.provider, cause: marked.endCause ?? '' },
                  task,
                  actor,
                  lease.id,
                ),
              ];
        this.rows.commit({ leases: [marked], audit });
        return closable ? [claimOf(marked, task.agent.name)] : [];
      });
  }

  private revoking(lease: FakeLease, task: Task): FakeLease {
    return {
      ...lease,
      state: 'revoking',
      version: lease.version + 1,
      endCause: lease.endCause ?? task.endCause ?? 'revoked',
      revokeRequestedAt: lease.revokeRequestedAt ?? this.rows.clock.now(),
    };
  }

  private claimed(lease: FakeLease, claimSeconds: number): FakeLease {
    const now = this.rows.clock.now();
    return { ...lease, dueAt: now, claimedUntil: addSeconds(now, claimSeconds), attempts: lease.attempts + 1 };
  }

  private close(
    lease: FakeLease,
    state: Closed['state'] | 'failed',
    revokeEffectiveAt: Date,
    cause: TaskEndCause,
    remains?: string,
  ): void {
    const task = this.rows.tasks.get(lease.taskId);
    if (task === undefined) return;
    const { lastError: _, ...rest } = lease;
    const gone = { dueAt: undefined, claimedUntil: undefined, endedAt: this.rows.clock.now(), revokeEffectiveAt };
    const closed = { ...rest, ...gone, state, version: lease.version + 1, endCause: lease.endCause ?? cause };
    const effectiveAt = revokeEffectiveAt.toISOString();
    const facts = { provider: lease.provider, cause: closed.endCause, effectiveAt, ...present({ remains }) };
    this.rows.commit({ leases: [closed], audit: [this.entry(`lease.${state}`, facts, task, MAYFLY, lease.id)] });
    this.finishIfLast(task);
  }

  /** Ends the task when its last lease is terminal. */
  private finishIfLast(task: Task): void {
    if (!this.rows.leasesOf(task.id).every((other) => isTerminal(other.state))) return;
    const cause = task.endCause ?? 'revoked';
    const ended = { ...task, state: TERMINAL_STATE[cause], endedAt: this.rows.clock.now() };
    const facts = { state: ended.state, cause };
    this.rows.commit({ tasks: [ended], audit: [this.entry('task.ended', facts, task, MAYFLY)] });
    this.rows.giveQuotaBack(quotaScope(task.template.name));
  }

  private postpone(lease: FakeLease, retryAt: Date, lastError: string, effectiveAt?: Date): void {
    const revokeEffectiveAt = effectiveAt === undefined ? {} : { revokeEffectiveAt: effectiveAt };
    const postponed = { dueAt: retryAt, claimedUntil: undefined, lastError, ...revokeEffectiveAt };
    const later = { ...lease, ...postponed, version: lease.version + 1 };
    this.rows.commit({ leases: [later], wakeUps: [{ leaseId: lease.id, reason: 'retry', runAt: retryAt }] });
  }

  private agentOf(lease: FakeLease): string {
    return this.rows.tasks.get(lease.taskId)?.agent.name ?? '';
  }

  private isDue({ dueAt }: FakeLease): boolean {
    return dueAt !== undefined && dueAt <= this.rows.clock.now();
  }

  private isClaimed({ claimedUntil }: FakeLease): boolean {
    return claimedUntil !== undefined && claimedUntil >= this.rows.clock.now();
  }

  private isClosable(lease: FakeLease): boolean {
    const mintIsOver = lease.state === 'minting' && addSeconds(lease.mintBy, 1) < this.rows.clock.now();
    return lease.state === 'active' || this.isDue(lease) || mintIsOver;
  }

  private entry<Type extends AuditEntryType>(
    type: Type,
    facts: EntryFacts<Type>,
    task: Task,
    actor: Actor,
    leaseId?: LeaseId,
  ): AuditEntry {
    const subject = { taskId: task.id, agent: task.agent.name, ...(leaseId === undefined ? {} : { leaseId }) };
    return auditEntry(type, this.rows.clock.now(), actor, subject, facts);
  }
}

function claimOf(lease: FakeLease, agent: string): LeaseClaim {
  const { id, taskId, provider, connection, sealedHandle, version, endCause, expiresAt, attempts } = lease;
  const cause = endCause as TaskEndCause;
  return {
    ...{ id, taskId, agent, provider, sealedHandle, version, cause, expiresAt, attempts },
    ...(connection === undefined ? {} : { connection }),
    ...(lease.lastError === undefined ? {} : { lastError: lease.lastError }),
    ...(lease.revokeEffectiveAt === undefined ? {} : { effectiveAt: lease.revokeEffectiveAt }),
  };
}
