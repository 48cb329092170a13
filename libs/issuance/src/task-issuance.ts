import { DENIAL_LIMITS, type DenialLog, MAYFLY } from '@mayfly/audit';
import { type Minted, sealHandle, type Sealing } from '@mayfly/credentials';
import { type Clock, type Json, Problem } from '@mayfly/kernel';
import { dueAt, type EndRequest, exhaustedLimit, type QuotaLimits, quotaScope } from '@mayfly/tasks';
import type { Assessment, Assessor } from './assessment.js';
import { checkMinted, type Minter, MintFailure } from './minting.js';
import { actorOf, intentOf, issuedEntries, type Plan, type Planner, wakeUps } from './plan.js';
import type { IssuanceMetrics } from './issuance-metrics.js';
import type { IssuanceStore, OpenVerdict } from './issuance.store.js';
import type { StepObserver } from './step.js';
import type { Requester, TaskRequest } from './request.js';

/** What `POST /tasks` gives out. The secrets exist here and in the answer, nowhere else. */
export interface Grant {
  readonly plan: Plan;
  readonly minted: readonly Minted<unknown>[];
}

/** Port: ends a task and takes back what was minted for it. `revocation` implements it. */
export interface TakeBack {
  end(request: EndRequest): Promise<void>;
}

export interface IssuanceParts {
  readonly assessor: Assessor;
  readonly planner: Planner;
  readonly minter: Minter;
  readonly store: IssuanceStore;
  readonly denials: Pick<DenialLog, 'record'>;
  readonly sealing: Sealing;
  readonly takeBack: TakeBack;
  readonly metrics: IssuanceMetrics;
  readonly observer: StepObserver;
  readonly clock: Clock;
}

/** THE path: `POST /tasks` from a proven identity to a credential. The steps are those of docs/issuance.md. */
export class TaskIssuance {
  constructor(private readonly parts: IssuanceParts) {}

  /**
   * Grants a task or throws: `not_found`, `invalid_parameters`, `policy_denied` (with `control`), `quota_exceeded`,
   * `provider_rejected`, `provider_unavailable`, `unavailable`. What was half done is revoked, by this call or by the worker.
   */
  async issue(requester: Requester, request: TaskRequest): Promise<Grant> {
    const plan = await this.preview(requester, request); //              2 to 6
    return plan.remote ? await this.inTwoCommits(plan) : await this.inOneCommit(plan);
  }

  /** Steps 2 to 5, with each denial in the audit, or counted, before it is answered. */
  assess(requester: Requester, request: TaskRequest): Promise<Assessment> {
    return this.refusing(requester, request, () => this.parts.assessor.assess(requester, request));
  }

  /** Does a step that may refuse the request: a `Problem` is in the audit, or counted, before it is thrown on. */
  async refusing<T>(requester: Requester, request: TaskRequest, step: () => T | Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      if (error instanceof Problem) await this.recordDenial(requester, request, error);
      throw error;
    }
  }

  /** Steps 2 to 6 and nothing more, for a dry run: what they refuse, the request would be refused for. */
  async preview(requester: Requester, request: TaskRequest): Promise<Plan> {
    return this.plan(requester, request, await this.assess(requester, request));
  }

  private async inTwoCommits(plan: Plan): Promise<Grant> {
    let minted: readonly Minted<unknown>[] = [];
    try {
      await this.open(plan); //                                          7
      minted = await this.mint(plan); //                                 8
      this.check(plan, minted); //                                       9
      await this.activate(plan, minted);
      return this.answer(plan, minted); //                               10
    } catch (error) {
      if (!(error instanceof MintFailure)) throw error;
      await this.parts.minter.keepHandles(plan, minted);
      return await this.giveUp(plan, error);
    }
  }

  /** Nothing comes into being at a target, so that the intent and the activation are one commit. */
  private async inOneCommit(plan: Plan): Promise<Grant> {
    try {
      const minted = await this.mint(plan); //                           8
      this.check(plan, minted); //                                       9
      await this.open(plan, minted); //                                  7 and 9
      return this.answer(plan, minted); //                               10
    } catch (error) {
      if (error instanceof Problem && error.code === 'unavailable') await this.takeBack(plan);
      throw error instanceof MintFailure ? error.problem : error;
    }
  }

  private async plan(requester: Requester, request: TaskRequest, assessment: Assessment): Promise<Plan> {
    const { planner } = this.parts;
    const plan = await this.refusing(requester, request, () => planner.plan(requester, request, assessment));
    this.parts.observer.reached('plan');
    return plan;
  }

  private async mint(plan: Plan): Promise<readonly Minted<unknown>[]> {
    const minted = await this.parts.minter.mint(plan);
    this.parts.observer.reached('mint');
    return minted;
  }

  private check(plan: Plan, minted: readonly Minted<unknown>[]): void {
    checkMinted(plan, minted);
    this.parts.observer.reached('check');
  }

  private answer(plan: Plan, minted: readonly Minted<unknown>[]): Grant {
    this.parts.observer.reached('answer');
    return { plan, minted };
  }

  private async open(plan: Plan, minted?: readonly Minted<unknown>[]): Promise<void> {
    const verdict = await this.parts.store.open(intentOf(plan, minted));
    if (verdict === 'opened') {
      this.parts.observer.reached('open');
      return;
    }
    const refusal = await this.refusalOf(verdict, plan);
    await this.recordDenial(plan.requester, plan.request, refusal);
    throw refusal;
  }

  private async activate(plan: Plan, minted: readonly Minted<unknown>[]): Promise<void> {
    const due = dueAt(plan.task, plan.task.createdAt);
    const leases = plan.leases.map(({ id, target, handle }, index) => ({
      id,
      sealedHandle: sealHandle(this.parts.sealing, id, target, (minted[index]?.handle ?? handle) as Json),
      providerExpiresAt: minted[index]?.providerExpiresAt ?? plan.task.expiresAt,
      dueAt: due,
    }));
    const audit = issuedEntries(plan, minted);
    const activation = { taskId: plan.task.id, leases, audit, wakeUps: wakeUps(plan, due) };
    const active = await this.parts.store.activate(activation).catch((error: unknown) => {
      // Whether it was committed is not known: what nobody was given is taken back either way.
      throw error instanceof Problem ? allMinted(plan, error) : error;
    });
    if (active) {
      this.parts.observer.reached('activate');
      return;
    }
    const ended = 'the task was ended while its credentials were being minted';
    throw allMinted(plan, new Problem('conflict', ended, { taskId: plan.task.id }));
  }

  /** The commit may have happened all the same: then its place in the quota is given back, as far as the database answers. */
  private async takeBack({ task }: Plan): Promise<void> {
    const ending = { taskId: task.id, cause: 'issuance_failed', actor: MAYFLY } as const;
    await this.parts.takeBack.end(ending).catch(() => undefined);
  }

  /** INVARIANT: I1, what was or may have been minted is in the rows: it is revoked now or by the worker. */
  private async giveUp(plan: Plan, failure: MintFailure): Promise<never> {
    const { code, detail, retryAfterSeconds, extensions } = failure.problem;
    await this.parts.takeBack.end({
      taskId: plan.task.id,
      cause: 'issuance_failed',
      reason: detail,
      actor: MAYFLY,
      minted: failure.minted,
      neverMinted: failure.neverMinted,
    });
    throw new Problem(code, detail, {
      ...extensions,
      taskId: plan.task.id,
      cause: failure,
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    });
  }

  private async refusalOf(verdict: Exclude<OpenVerdict, 'opened'>, { assessment, requester }: Plan): Promise<Problem> {
    const { name, spec } = assessment.template.version;
    if (verdict !== 'quota') return refusalBecause(verdict, requester.agent.name, name);
    const control = exhaustedLimit(await this.parts.store.quotaLeft(quotaScope(name), spec.quota));
    return quotaRefusal(name, spec.quota, control);
  }

  private async recordDenial(
    requester: Requester,
    request: TaskRequest,
    { code, detail, extensions }: Problem,
  ): Promise<void> {
    const control = extensions.control ?? code;
    const { agent, issuer, subject, requestId } = requester;
    this.parts.metrics.denied(control);
    await this.parts.denials.record({
      ...{ type: 'task.denied', actor: actorOf(requester), subject: { agent: agent.name } },
      facts: {
        ...{ control, detail, template: request.template, purpose: request.purpose, identity: { issuer, subject } },
        ...(requestId === undefined ? {} : { requestId }),
      },
      group: { control },
      limit: DENIAL_LIMITS.perCaller,
    });
  }
}

/** All credentials exist, and none of them may be used. */
function allMinted(plan: Plan, problem: Problem): MintFailure {
  const everyLease = plan.leases.map(({ id }) => id);
  return new MintFailure(problem, everyLease, []);
}

/** What the commit objected to, although the request was decided for: something changed in between. */
function refusalBecause(verdict: Exclude<OpenVerdict, 'opened' | 'quota'>, agent: string, template: string): Problem {
  switch (verdict) {
    case 'clock':
      return new Problem('unavailable', 'this replica and its database disagree about the time', {
        retryAfterSeconds: 5,
      });
    case 'agent':
      return new Problem('policy_denied', `agent \`${agent}\` is not active`, { control: 'agent-lifecycle' });
    case 'template':
      return new Problem('policy_denied', `template \`${template}\` has just been changed`, {
        control: 'template-lifecycle',
        help: 'send the request again to use the version now in force',
      });
    case 'connection':
      return new Problem('policy_denied', 'a connection of the template has just been disabled', {
        control: 'connection-state',
        help: 'ask its owner to enable it',
      });
    case 'key':
      return new Problem('request_in_flight', 'another request with this key is under way', { retryAfterSeconds: 1 });
  }
}

/**
 * Which limit of the template refused, and what it is. By the time that the counter is read, a place may be free again:
 * then the next request may take it.
 */
function quotaRefusal(template: string, quota: QuotaLimits, control: ReturnType<typeof exhaustedLimit>): Problem {
  const name = control === 'quota-tasks-per-minute' ? 'tasksPerMinute' : 'concurrentTasks';
  const limit = { name, value: quota[name] };
  const allows = `template \`${template}\` allows ${String(limit.value)}`;
  return name === 'tasksPerMinute'
    ? new Problem('quota_exceeded', `${allows} tasks a minute (\`quota.tasksPerMinute\`), and as many began`, {
        ...{ control: 'quota-tasks-per-minute', limit, retryAfterSeconds: 60 },
        help: 'try again within a minute',
      })
    : new Problem('quota_exceeded', `${allows} tasks at a time (\`quota.concurrentTasks\`), and as many run`, {
        ...{ control: 'quota-concurrent-tasks', limit, retryAfterSeconds: control === undefined ? 1 : 5 },
        help: 'complete a running task first',
      });
}
