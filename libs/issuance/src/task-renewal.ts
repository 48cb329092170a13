import { auditEntry } from '@mayfly/audit';
import {
  type ConnectionGates,
  type Minted,
  type MintOrder,
  openHandle,
  renewable,
  type Sealing,
  type Target,
  type Targets,
} from '@mayfly/credentials';
import {
  addSeconds,
  type Clock,
  earliest,
  type Json,
  type LeaseId,
  present,
  Problem,
  type TaskId,
} from '@mayfly/kernel';
import { dueAt, type StepObserver, type Task, type TaskEndCause } from '@mayfly/tasks';
import { Decision, type DecisionRecord, type DecisionStore, keptDecision } from '@mayfly/policy';
import type { PermittedRequest } from './assessment.js';
import type { RequestInputs } from './decisions/decision-inputs.js';
import { outsideInput } from './outside-decision.js';
import { requestInputs } from './decisions/request-inputs.js';
import { actorOfRequester, MINT_DEADLINE_SECONDS, orderOf } from './plan.js';
import type { LifetimeLimit } from './narrowing.js';
import type { IssuanceMetrics } from './issuance-metrics.js';
import { lockdownDenial } from './lockdown-control.js';
import { judgeRenewal } from './renewal-controls.js';
import type { LivingLease, StoredTask, TaskStore } from './task.store.js';
import type { ChildRequest, Requester } from './request.js';
import type { TaskIssuance } from './task-issuance.js';

type Secret = Minted<unknown>['secret'];

/** The new secret of each lease whose credential was issued again. */
type RenewedSecrets = ReadonlyMap<LeaseId, Secret>;

/** The result of a renewal. */
export interface Renewed {
  readonly secrets: RenewedSecrets;
  readonly lifetime: {
    readonly requestedSeconds: number | null;
    /** from the decision to the deadline, also when the deadline did not move */
    readonly grantedSeconds: number;
    /** the bound that set the deadline; `maximum` is the longest life of the task */
    readonly limitedBy: LifetimeLimit | 'maximum';
  };
}

export interface RenewalParts {
  readonly issuance: TaskIssuance;
  readonly tasks: TaskStore;
  readonly targets: Targets;
  readonly sealing: Sealing;
  readonly gates: ConnectionGates;
  readonly metrics: IssuanceMetrics;
  /** takes the record of a renewal that moves no deadline and so has no entry */
  readonly decisions: Pick<DecisionStore, 'record'>;
  readonly observer: StepObserver;
  readonly clock: Clock;
}

/** Heartbeats and renewals of a running task, within the longest life of its template. */
export class TaskRenewal {
  constructor(private readonly parts: RenewalParts) {}

  /**
   * Records a heartbeat. Throws `not_found` for another agent's task, `policy_denied` under a lockdown, and `conflict` when
   * the task is ending or has ended.
   */
  async heartbeat(requester: Requester, taskId: TaskId): Promise<void> {
    const task = await this.livingTask(requester, taskId);
    const now = this.parts.clock.now();
    if (!(await this.parts.tasks.heartbeat(taskId, now, dueAt(task, now)))) throw ended(taskId);
  }

  /**
   * Decides again, with the template version in force, and moves the deadline of every credential. The deadline never
   * exceeds the longest life of either version and never moves back. Throws as `TaskIssuance.issue` does, and
   * `conflict` when the task has expired, is ending or has ended, or has a lease that is not active. INVARIANT: I6, the
   * granted deadline is committed before any provider's.
   */
  async renew(requester: Requester, taskId: TaskId, ttlSeconds: number | undefined): Promise<Renewed> {
    await this.parts.issuance.admit();
    const task = await this.livingTask(requester, taskId);
    if (task.leases.some(({ state }) => state !== 'active')) throw notActive(taskId);
    const assessment = await this.decideAgain(requester, task, ttlSeconds);
    const deadline = newDeadline(task, assessment);
    const moves = deadline.expiresAt > task.expiresAt;
    const renewed = { ...task, expiresAt: deadline.expiresAt };
    if (moves) await this.commit(requester, renewed, assessment);
    else await this.parts.decisions.record([assessment.record]);
    await this.parts.observer.reached('renew');
    await this.parts.issuance.admit();
    const secrets = await this.renewAtProviders(renewed, moves ? task.leases : task.leases.filter(needsRenewal));
    const grantedSeconds = Math.floor((renewed.expiresAt.getTime() - assessment.at.getTime()) / 1000);
    return {
      secrets,
      lifetime: { requestedSeconds: ttlSeconds ?? null, grantedSeconds, limitedBy: deadline.limitedBy },
    };
  }

  /** Returns the task while it lives and no lockdown covers it. A task past its deadline counts as ended, even before a worker closes it. */
  private async livingTask(requester: Requester, taskId: TaskId) {
    const task = await this.parts.tasks.find(taskId);
    if (task?.agent.id !== requester.agent.id) throw new Problem('not_found', `there is no task \`${taskId}\``);
    if (task.lockdownId !== undefined) throw await this.lockedDown(requester, task);
    if (task.endCause !== undefined || task.state !== 'active') throw ended(taskId, task.endCause);
    if (task.expiresAt <= this.parts.clock.now()) throw ended(taskId, 'expired');
    return task;
  }

  /** Returns the refusal of a task that the store shows under a lockdown, which this replica may not know of yet. */
  private lockedDown(requester: Requester, task: StoredTask) {
    const { issuance, clock } = this.parts;
    const decision = Decision.of([lockdownDenial(task.lockdownId)]);
    const request = { template: task.template.name, parameters: task.parameters, purpose: task.purpose };
    const read = { at: clock.now(), facts: issuance.factsOf(requester, undefined) };
    const inputs = requestInputs(requester, request, read, { task: this.taskInputs(task) });
    const on = { phase: 'renew', taskId: task.id, inputs, template: undefined } as const;
    return issuance.refusal(requester, request, decision, on);
  }

  private async decideAgain(
    requester: Requester,
    task: StoredTask,
    ttlSeconds: number | undefined,
  ): Promise<PermittedRequest & { readonly record: DecisionRecord }> {
    const { template, parameters, purpose } = task;
    const ttl = ttlSeconds === undefined ? {} : { ttlSeconds };
    const child = await this.childOf(task);
    const request = { template: template.name, parameters, purpose, renews: true, ...ttl, ...present({ child }) };
    const { issuance } = this.parts;
    const assessment = issuance.assess(requester, request);
    const judged = assessment.decision.with(...judgeRenewal(requester.runtime, task, assessment, this.parts.targets));
    const local = assessment.permitted && judged.permitted ? { ...assessment, decision: judged } : undefined;
    const asked = local === undefined ? undefined : await issuance.decideOutside('renew', requester, request, local);
    const decision = asked?.decision ?? judged;
    const outside = outsideInput(decision);
    const inputs = requestInputs(requester, request, assessment, { task: this.taskInputs(task), outside });
    const decided = { phase: 'renew', taskId: task.id, inputs, template: assessment.template } as const;
    if (asked?.permitted !== true) throw await issuance.refusal(requester, request, decision, decided);
    return { ...asked, record: await issuance.recordOf(requester, decision, decided) };
  }

  /** Returns what a decision on a renewal reads of the running task. */
  private taskInputs({ id, runtime, lockdownId, leases }: StoredTask): RequestInputs['task'] {
    const isDisabled = (name: string): boolean => this.parts.targets.connection(name)?.disabled === true;
    const connections = new Set(leases.flatMap(({ connection }) => connection ?? []));
    return {
      ...{ id, runtime, lockdown: lockdownId ?? null },
      leases: leases.map(({ name, connection, scope }) => ({
        ...{ name, connection: connection ?? null, scope: scope as RequestInputs['request']['parameters'] },
      })),
      disabled: [...connections].filter(isDisabled),
    };
  }

  /** Returns what bounds a task that was handed on: the parent as it is now. */
  private async childOf({ id, origin }: StoredTask): Promise<ChildRequest | undefined> {
    if (origin === undefined) return undefined;
    const parent = await this.parts.tasks.find(origin.parentId);
    if (parent?.state !== 'active' || parent.endCause !== undefined) throw ended(id, 'parent_ended');
    const { expiresAt, maxExpiresAt, leases } = parent;
    return { taskId: id, origin, expiresAt, maxExpiresAt, held: leases };
  }

  private async commit(
    requester: Requester,
    task: Task & { readonly leases?: readonly LivingLease[] },
    { at, record }: { readonly at: Date; readonly record: DecisionRecord },
  ): Promise<void> {
    const due = dueAt(task, at);
    const facts = {
      expiresAt: task.expiresAt.toISOString(),
      identity: { issuer: requester.issuer, subject: requester.subject },
    };
    const entry = auditEntry(
      'task.renewed',
      at,
      actorOfRequester(requester),
      { taskId: task.id, agent: task.agent.name },
      facts,
      keptDecision(record),
    );
    const wakeUps = (task.leases ?? []).map(({ id }) => ({ leaseId: id, reason: 'due' as const, runAt: due }));
    const moved = await this.parts.tasks.renew({
      taskId: task.id,
      expiresAt: task.expiresAt,
      dueAt: due,
      audit: [entry],
      wakeUps,
    });
    if (!moved) throw ended(task.id);
  }

  private async renewAtProviders(task: Task, leases: readonly LivingLease[]): Promise<RenewedSecrets> {
    const renewed = await Promise.all(
      leases.map(async (lease) => [lease.id, await this.renewOne(task, lease)] as const),
    );
    return new Map(renewed.flatMap(([id, secret]) => (secret === undefined ? [] : [[id, secret] as const])));
  }

  private async renewOne(task: Task, lease: LivingLease): Promise<Secret | undefined> {
    const { handle, target } = await openHandle(this.parts.sealing, this.parts.targets, lease);
    const { provider } = target;
    if (renewable(provider) === undefined) return undefined;
    const mintBy = addSeconds(this.parts.clock.now(), MINT_DEADLINE_SECONDS);
    const order = { ...orderOf(lease.id, task, target, lease.scope, mintBy), issuedAt: this.parts.clock.now() };
    // A deny policy at a revocation point may match sessions by issue time, so the issue is recorded before it happens.
    if (lease.revocationPoint !== undefined) {
      if (!(await this.parts.tasks.reissuing(lease.id, mintBy))) throw ended(task.id);
      await this.parts.observer.reached('reissue');
    }
    const renewed = await this.parts.gates.run(lease.connection, MINT_DEADLINE_SECONDS, (signal) =>
      this.renewAt(target, order, handle, signal),
    );
    await this.parts.observer.reached('renew-at-provider');
    const alive = await this.parts.tasks.renewedAtProvider(lease.id, renewed.providerExpiresAt);
    // INVARIANT: I2, a credential renewed after its task's end was recorded is given to nobody.
    if (!alive) throw ended(task.id);
    await this.parts.observer.reached('record-renewal');
    return renewed.secret;
  }

  /** Calls the provider, measures the call, and checks the result as a mint is checked. */
  private async renewAt(
    { provider, check }: Target,
    order: MintOrder<unknown, Json>,
    handle: Json,
    signal: AbortSignal,
  ) {
    const started = performance.now();
    const renewed = await renewable(provider)?.renew(order, handle, signal);
    this.parts.metrics.providerAnswered(provider.kind, 'renew', (performance.now() - started) / 1000);
    if (renewed === undefined) throw new Problem('internal', 'the provider cannot renew; ask for a new task');
    const { secret, providerExpiresAt } = renewed;
    // INVARIANT: I6, the provider's own expiry is never later than the granted deadline.
    const isLate = providerExpiresAt > order.expiresAt;
    const complaint = isLate || secret === undefined ? undefined : check(order, { handle, secret, providerExpiresAt });
    if (!isLate && complaint === undefined) return renewed;
    throw new Problem('provider_unavailable', 'the renewed credential differs from its order; ask for a new task', {
      cause: complaint,
    });
  }
}

/**
 * The new deadline, never before the present one, and the bound that set it: `maximum` when it reaches the longest life
 * of the task, otherwise the bound of the lifetime that was just decided.
 */
function newDeadline(task: Task, { at, lifetime, obligations, template }: PermittedRequest) {
  const { maxSeconds } = template.version.spec.lifetime;
  const longest = Math.min(maxSeconds, obligations.lifeSeconds ?? maxSeconds);
  const furthest = earliest(task.maxExpiresAt, addSeconds(task.createdAt, longest));
  const decided = earliest(addSeconds(at, lifetime.grantedSeconds), furthest);
  const expiresAt = decided > task.expiresAt ? decided : task.expiresAt;
  return { expiresAt, limitedBy: expiresAt < furthest ? lifetime.limitedBy : ('maximum' as const) };
}

function ended(taskId: TaskId, cause?: TaskEndCause): Problem {
  const why = cause === undefined ? '' : `: ${cause}`;
  const detail = `task \`${taskId}\` is ending or has ended${why}`;
  return new Problem('conflict', detail, { taskId, help: 'ask for a new task' });
}

function notActive(taskId: TaskId): Problem {
  const detail = `the credentials of task \`${taskId}\` are not all active`;
  return new Problem('conflict', detail, {
    taskId,
    retryAfterSeconds: 1,
    help: 'renew when `GET /tasks/:id` shows them active',
  });
}

/**
 * True when an earlier renewal moved the granted deadline but failed at the provider. Tokens expire on whole seconds.
 */
function isBehind({ expiresAt, providerExpiresAt }: LivingLease): boolean {
  return providerExpiresAt !== undefined && expiresAt.getTime() - providerExpiresAt.getTime() >= 1000;
}

/** True when the lease is behind, or a cut-off disabled its credential. */
function needsRenewal(lease: LivingLease): boolean {
  return isBehind(lease) || lease.renewRequestedAt !== undefined;
}
