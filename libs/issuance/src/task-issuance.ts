import { DENIAL_LIMITS, MAYFLY, type Denial, type DenialLog } from '@mayfly/audit';
import { sealHandle, sealMaterial, usable, type Minted, type Sealing } from '@mayfly/credentials';
import { present, Problem, type Clock, type DecisionId, type Json } from '@mayfly/kernel';
import { keptDecision, problemOf, type Decision, type DecisionQuestion, type DecisionRecord } from '@mayfly/policy';
import { dueAt, quotaScope, type EndRequest, type Step, type StepObserver } from '@mayfly/tasks';
import type { CompiledTemplate } from '@mayfly/templates';
import type { Assessment, Assessor, PermittedRequest } from './assessment.js';
import type { CommitFound } from './decisions/decision-inputs.js';
import type { DecidedOn, DecisionRecorder } from './decisions/decision-recorder.js';
import type { FactSet, FactSets } from './decisions/declared-facts.js';
import { requestInputs } from './decisions/request-inputs.js';
import type { IdentityUse } from './identity-use.js';
import type { IssuanceMetrics } from './issuance-metrics.js';
import type { IssuanceStore } from './issuance.store.js';
import { lockdownDenial } from './lockdown-control.js';
import { judgeOutside, type OutsideDecision, outsideInput } from './outside-decision.js';
import { checkMinted, MintFailure, type Minter } from './minting.js';
import { Opening, OpenRefused } from './opening.js';
import {
  actorOfRequester,
  issuedEntries,
  wakeUps,
  type LocalPlan,
  type Plan,
  type Planner,
  type RemotePlan,
} from './plan.js';
import { judgeQuota, narrowedQuota } from './quota-control.js';
import type { Requester, TaskRequest } from './request.js';
import type { TaskStore } from './task.store.js';

/** The result of `POST /tasks`. Secrets exist in memory and in the answer only. */
export interface Grant {
  readonly plan: Plan;
  readonly minted: readonly Minted<unknown>[];
}

/** The result of a dry run: the decision and, if it permits, the grant that would follow. */
export interface Preview {
  readonly decision: Decision;
  readonly permitted?: PermittedRequest;
}

/** Port: ends a task and revokes its credentials. `revocation` implements it. */
export interface TaskEnder {
  /** Records the end once, and revokes what can be revoked now; a worker revokes the rest. */
  end(request: EndRequest): Promise<void>;
}

/** Port: the gate that every grant and renewal passes. `revocation` implements it. */
export interface IssuanceGate {
  /** Throws `quarantined` or `unavailable` while nothing may be issued. */
  pass(): Promise<void>;
}

export interface IssuanceParts {
  readonly gate: IssuanceGate;
  readonly assessor: Assessor;
  /** asked in addition, when the service requires one */
  readonly outside?: OutsideDecision | undefined;
  readonly planner: Planner;
  readonly minter: Minter;
  readonly store: IssuanceStore;
  readonly tasks: Pick<TaskStore, 'find'>;
  readonly identities: IdentityUse;
  readonly denials: Pick<DenialLog, 'admit' | 'write'>;
  readonly facts: FactSets;
  readonly recorder: DecisionRecorder;
  readonly sealing: Sealing;
  readonly ending: TaskEnder;
  readonly metrics: IssuanceMetrics;
  readonly observer: StepObserver;
  readonly clock: Clock;
}

/** THE path: `POST /tasks`, from a proven identity to a credential. docs/issuance.md numbers the steps. */
export class TaskIssuance {
  private readonly opening: Opening;

  constructor(private readonly parts: IssuanceParts) {
    this.opening = new Opening(parts.store);
  }

  /**
   * Grants a task or throws `not_found`, `invalid_parameters`, `policy_denied` (with `control`), `quota_exceeded`,
   * `unauthenticated`, `conflict`, `request_in_flight`, `provider_rejected`, `provider_unavailable`, `quarantined` or
   * `unavailable`.
   * After a failure this call or the worker revokes every credential that may exist.
   */
  async issue(requester: Requester, request: TaskRequest): Promise<Grant> {
    await this.admit();
    const permitted = await this.permit(requester, request); //          3 to 6
    // The entry of the grant states the digest of these facts: they are stored before it, once.
    if (!permitted.facts.isKept) await this.parts.facts.keep(permitted.facts);
    const plan = await this.plan(requester, request, permitted); //      7
    await this.consume(requester); //                                    8
    return plan.remote ? await this.inTwoCommits(plan) : await this.inOneCommit(plan);
  }

  /** Throws `quarantined` or `unavailable` while nothing may be issued, renewed or handed on. */
  admit(): Promise<void> {
    return this.parts.gate.pass();
  }

  /** Steps 3 to 6: decides the request. Changes and writes nothing. */
  assess(requester: Requester, request: TaskRequest): Assessment {
    return this.parts.assessor.assess(requester, request);
  }

  /** Returns the declared facts that a decision on this agent and template reads now. */
  factsOf({ agent }: Requester, template: CompiledTemplate | undefined): FactSet {
    return this.parts.facts.of(agent, template);
  }

  /** Returns the record of a decision, which the caller writes, after the policies that it names are stored. */
  async recordOf(requester: Requester, decision: Decision, on: DecidedOn): Promise<DecisionRecord> {
    await this.parts.facts.keepPolicies(on.inputs.policies);
    return this.parts.recorder.record(requester, decision, on);
  }

  /**
   * Adds the verdict of the outside decision point to a permitted request. Without one, and for a denied request, returns
   * the assessment as it is.
   */
  decideOutside(
    action: DecisionQuestion['action'],
    requester: Requester,
    request: TaskRequest,
    assessment: Assessment,
  ): Assessment | Promise<Assessment> {
    const { outside } = this.parts;
    if (outside === undefined || !assessment.permitted) return assessment;
    return judgeOutside(outside, action, requester, request, assessment);
  }

  /** Returns the problem of a denied request, after the denial was audited with its record, or counted. */
  async refusal(requester: Requester, request: TaskRequest, decision: Decision, on: DecidedOn): Promise<Problem> {
    const problem = problemOf(decision);
    const decisionId = await this.recordDenial(requester, request, problem, decision, on);
    if (decisionId === undefined) return problem;
    const { code, detail, extensions, retryAfterSeconds } = problem;
    return new Problem(code, detail, { ...extensions, decisionId, ...present({ retryAfterSeconds }) });
  }

  /**
   * Steps 3 to 7 and a reading of the quota, for a dry run. Records a denial as `issue` does. Throws the errors of
   * `issue` when a connection cannot be used.
   */
  async preview(requester: Requester, request: TaskRequest): Promise<Preview> {
    const assessment = await this.decideOutside('request', requester, request, this.assess(requester, request));
    const { decision } = assessment;
    if (!assessment.permitted) {
      await this.refusal(requester, request, decision, decidedOn(requester, request, assessment));
      return { decision };
    }
    await this.plan(requester, request, assessment);
    const { name, spec } = assessment.template.version;
    const limits = narrowedQuota(spec.quota, assessment.obligations);
    const left = await this.parts.store.quotaLeft(quotaScope(name), limits);
    return { decision: decision.with(...judgeQuota(name, limits, left)), permitted: assessment };
  }

  private async permit(requester: Requester, request: TaskRequest): Promise<PermittedRequest> {
    const assessment = await this.decideOutside('request', requester, request, this.assess(requester, request));
    if (assessment.permitted) return assessment;
    throw await this.refusal(requester, request, assessment.decision, decidedOn(requester, request, assessment));
  }

  private async plan(requester: Requester, request: TaskRequest, permitted: PermittedRequest): Promise<Plan> {
    try {
      return await this.after('plan', await this.parts.planner.plan(requester, request, permitted));
    } catch (error) {
      if (error instanceof Problem) await this.recordDenial(requester, request, error, permitted.decision);
      throw error;
    }
  }

  private async consume(requester: Requester): Promise<void> {
    await this.parts.identities.consume(requester);
    await this.parts.observer.reached('consume');
  }

  private async inTwoCommits(plan: RemotePlan): Promise<Grant> {
    let minted: readonly Minted<unknown>[] = [];
    const opened = await this.after('open', await this.opened(plan, () => this.opening.open(plan))); //   9
    try {
      await this.admitOpened(plan);
      minted = await this.after('mint', await this.parts.minter.mint(opened)); //                   10
      await this.check(plan, minted); //                                                           11
      await this.keepMaterial(plan, minted);
      await this.activate(plan, minted);
      return await this.answer(plan, minted); //                                                   12
    } catch (error) {
      if (!(error instanceof MintFailure)) throw error;
      await this.parts.minter.keepHandles(plan, minted);
      return await this.giveUp(plan, error);
    }
  }

  /** The commit may have reached a database that was restored meanwhile. Then no provider is called. */
  private async admitOpened(plan: RemotePlan): Promise<void> {
    const everyLease = plan.leases.map(({ id }) => id);
    await this.admit().catch((error: unknown) => {
      throw error instanceof Problem ? new MintFailure(error, [], everyLease) : error;
    });
  }

  /** Commits intent and activation together, since the mint leaves nothing at a target. */
  private async inOneCommit(plan: LocalPlan): Promise<Grant> {
    try {
      const minted = await this.after('mint', await this.parts.minter.mintLocal(plan)); //          10
      await this.check(plan, minted); //                                                           11
      await this.opened(plan, () => this.opening.openActive(plan, minted)); //                      9 and 11
      await this.parts.observer.reached('open');
      await this.admit();
      return await this.answer(plan, minted); //                                                   12
    } catch (error) {
      if (error instanceof Problem && MAY_BE_OPEN.has(error.code)) await this.endIfOpened(plan);
      if (!(error instanceof MintFailure)) throw error;
      await this.parts.identities.giveBack(plan.requester);
      throw error.problem;
    }
  }

  /** Records a refusal by the commit and makes the identity token usable again, since nothing was granted. */
  private async opened<T>(plan: Plan, open: () => Promise<T>): Promise<T> {
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof OpenRefused)) throw error;
      const { requester, request, assessment } = plan;
      const decision = assessment.decision.with(...error.judgements);
      await this.parts.identities.giveBack(requester);
      if (error.found !== undefined)
        throw await this.refusal(requester, request, decision, decidedOn(requester, request, assessment, error.found));
      const problem = error.problem ?? problemOf(decision);
      await this.recordDenial(requester, request, problem, decision);
      throw problem;
    }
  }

  private check(plan: Plan, minted: readonly Minted<unknown>[]): Promise<void> | undefined {
    checkMinted(plan, minted);
    return this.parts.observer.reached('check');
  }

  private answer(plan: Plan, minted: readonly Minted<unknown>[]): Grant | Promise<Grant> {
    return this.after('answer', { plan, minted });
  }

  /** Saves a promise for each step: only a crash test waits. */
  private after<T>(step: Step, result: T): T | Promise<T> {
    const waiting = this.parts.observer.reached(step);
    return waiting === undefined ? result : waiting.then(() => result);
  }

  /** INVARIANT: I10, keeps sealed material only where the template says `probe`, until its target refuses it. */
  private async keepMaterial(plan: Plan, minted: readonly Minted<unknown>[]): Promise<void> {
    const kept = plan.leases.flatMap(({ id, probe, target }, index) => {
      const secret = minted[index]?.secret;
      const material = probe && secret ? usable(target.provider)?.materialOf(secret) : undefined;
      if (material === undefined) return [];
      return [{ leaseId: id, sealedMaterial: sealMaterial(this.parts.sealing, id, material) }];
    });
    if (kept.length === 0) return;
    await this.parts.store.keepMaterial(kept).catch((error: unknown) => {
      throw error instanceof Problem ? allMinted(plan, error) : error;
    });
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
      // The commit may have succeeded. Nobody received the credentials, so they are revoked in both cases.
      throw error instanceof Problem ? allMinted(plan, error) : error;
    });
    if (active) {
      await this.parts.observer.reached('activate');
      return;
    }
    throw allMinted(plan, await this.endedMeanwhile(plan));
  }

  /** Returns the problem of a task that the commit did not activate: a lockdown covers it, or it was ended. */
  private async endedMeanwhile({ task, requester, request, assessment }: Plan): Promise<Problem> {
    // The credentials are revoked whatever this look finds.
    const stored = await this.parts.tasks.find(task.id).catch(() => undefined);
    if (stored?.lockdownId !== undefined) {
      const on = decidedOn(requester, request, assessment, { verdict: 'undelivered', lockdown: stored.lockdownId });
      const decision = assessment.decision.with(lockdownDenial(stored.lockdownId));
      return this.refusal(requester, request, decision, { ...on, taskId: task.id });
    }
    const ended = 'the task ended while Mayfly minted its credentials; ask for a new task';
    return new Problem('conflict', ended, { taskId: task.id });
  }

  /** The commit may have succeeded: ends the task to release its quota (best effort). */
  private async endIfOpened({ task }: Plan): Promise<void> {
    const request = { taskId: task.id, cause: 'issuance_failed', actor: MAYFLY } as const;
    await this.parts.ending.end(request).catch(() => undefined);
  }

  /** INVARIANT: I1, every credential that was or may have been minted has its row: revoked now or by the worker. */
  private async giveUp(plan: Plan, failure: MintFailure): Promise<never> {
    const { code, detail, retryAfterSeconds, extensions } = failure.problem;
    await this.parts.ending.end({
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

  private async recordDenial(
    requester: Requester,
    request: TaskRequest,
    { code, detail, extensions }: Problem,
    decision: Decision,
    on?: DecidedOn,
  ): Promise<DecisionId | undefined> {
    const control = extensions.control ?? code;
    const { agent, issuer, subject, requestId } = requester;
    this.parts.metrics.denied(control);
    const denial: Denial<'task.denied'> = {
      ...{ type: 'task.denied', actor: actorOfRequester(requester), subject: { agent: agent.name } },
      facts: {
        ...{ control, detail, template: request.template, purpose: request.purpose, identity: { issuer, subject } },
        controls: [...decision.trace],
        ...(requestId === undefined ? {} : { requestId }),
      },
      group: { control },
      limit: DENIAL_LIMITS.perCaller,
    };
    if (!this.parts.denials.admit(denial)) return undefined;
    const record = on === undefined ? undefined : await this.recordOf(requester, decision, on);
    await this.parts.denials.write(record === undefined ? denial : { ...denial, decision: keptDecision(record) });
    return record?.id;
  }
}

/** Returns the basis of a decision on a request. */
function decidedOn(
  requester: Requester,
  request: TaskRequest,
  assessment: Assessment,
  commit: CommitFound = null,
): DecidedOn {
  const inputs = requestInputs(requester, request, assessment, { outside: outsideInput(assessment.decision), commit });
  return { phase: 'request', inputs, template: assessment.template };
}

/** Problems of a local plan after which its task may be committed. */
const MAY_BE_OPEN: ReadonlySet<string> = new Set(['unavailable', 'quarantined']);

/** All credentials exist, and none may be used. */
function allMinted(plan: Plan, problem: Problem): MintFailure {
  const everyLease = plan.leases.map(({ id }) => id);
  return new MintFailure(problem, everyLease, []);
}
