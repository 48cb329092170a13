import { replayRefused } from '@mayfly/identity';
import type { IssuanceStore, KeyClaim, TaskIssuance, TaskRenewal, TaskStore } from '@mayfly/issuance';
import type { TaskEnding } from '@mayfly/revocation';
import { type JsonObject, Problem, type TaskId } from '@mayfly/kernel';
import { exhaustedLimit, quotaScope, type TaskEndCause } from '@mayfly/tasks';
import type { IdentityUseStore } from '@mayfly/persistence';
import { actorOf, type AgentPrincipal, type Principal, requesterOf } from '../security/principal.js';
import type { RefusalRecorder } from '../security/refusal.recorder.js';
import type { Answer, Idempotency } from './idempotency.service.js';
import type { CreateTask } from './task.schemas.js';
import { grantView, taskView } from './task.view.js';

export interface TasksParts {
  readonly issuance: TaskIssuance;
  readonly renewal: TaskRenewal;
  readonly ending: TaskEnding;
  readonly tasks: TaskStore;
  readonly issuanceStore: Pick<IssuanceStore, 'quotaLeft'>;
  readonly idempotency: Idempotency;
  readonly identityUses: IdentityUseStore;
  readonly refusals: Pick<RefusalRecorder, 'identity'>;
}

/** What agents and operators do with tasks, between the routes and the path. */
export class TasksService {
  constructor(private readonly parts: TasksParts) {}

  /** Grants a task and answers with its secrets, once per idempotency key. */
  async create(agent: AgentPrincipal, request: CreateTask, idempotencyKey: string | undefined): Promise<JsonObject> {
    if (idempotencyKey === undefined) return (await this.grant(agent, request)).body;
    const { issuer, subject } = agent.identity;
    const owner = { agentId: agent.agent.id, runtime: agent.runtime, issuer, subject };
    return this.parts.idempotency.once(owner, idempotencyKey, request, (claim) => this.grant(agent, request, claim));
  }

  /** What `create` would do now, control by control. Mints nothing, takes no quota; throws what `create` would throw. */
  async dryRun(agent: AgentPrincipal, request: CreateTask): Promise<JsonObject> {
    try {
      const { assessment } = await this.parts.issuance.preview(requesterOf(agent), asked(request));
      const { template, scopes, trace, lifetime } = assessment;
      const { name, version, spec } = template.version;
      const left = await this.parts.issuanceStore.quotaLeft(quotaScope(name), spec.quota);
      const exhausted = exhaustedLimit(left);
      const quota = (['quota-concurrent-tasks', 'quota-tasks-per-minute'] as const).map((control) => ({
        control,
        outcome: control === exhausted ? 'deny' : 'permit',
      }));
      return {
        dryRun: true,
        wouldGrant: exhausted === undefined,
        template: { name, version },
        lifetimeSeconds: lifetime.grantedSeconds,
        limitedBy: lifetime.limitedBy,
        controls: [...trace.map((verdict) => ({ ...verdict })), ...quota],
        credentials: scopes.map(({ name, provider, scope }) => ({ name, provider, scope })),
      };
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'policy_denied') throw error;
      const { control, help } = error.extensions;
      return { dryRun: true, wouldGrant: false, controls: [{ control, outcome: 'deny', detail: error.detail, help }] };
    }
  }

  /** A task without secrets. An agent sees its own only; another's is not there. Throws `not_found`. */
  async view(caller: Principal, taskId: TaskId): Promise<JsonObject> {
    const task = await this.parts.tasks.find(taskId);
    const hidden = caller.kind === 'agent' && task?.agent.id !== caller.agent.id;
    if (task === undefined || hidden) throw new Problem('not_found', `there is no task \`${taskId}\``);
    return taskView(task);
  }

  /** Ends a task and answers how each of its leases stands once what can be closed at once is closed. */
  async end(caller: Principal, taskId: TaskId, cause: TaskEndCause, reason?: string): Promise<JsonObject> {
    await this.view(caller, taskId);
    await this.parts.ending.end({ taskId, cause, actor: actorOf(caller), ...(reason === undefined ? {} : { reason }) });
    return this.view(caller, taskId);
  }

  async heartbeat(agent: AgentPrincipal, taskId: TaskId): Promise<JsonObject> {
    await this.parts.renewal.heartbeat(requesterOf(agent), taskId);
    return this.view(agent, taskId);
  }

  /** Renews a task, and says what made its life no longer; a credential that had to be issued again comes with its new secret. */
  async renew(agent: AgentPrincipal, taskId: TaskId, ttlSeconds: number | undefined): Promise<JsonObject> {
    const renewed = await this.parts.renewal.renew(requesterOf(agent), taskId, ttlSeconds);
    const task = await this.parts.tasks.find(taskId);
    if (task === undefined) throw new Problem('not_found', `there is no task \`${taskId}\``);
    return taskView(task, renewed);
  }

  private async grant(agent: AgentPrincipal, request: CreateTask, keyClaim?: KeyClaim): Promise<Answer> {
    await this.useIdentity(agent);
    const asking = { ...asked(request), ...(keyClaim === undefined ? {} : { keyClaim }) };
    const grant = await this.parts.issuance.issue(requesterOf(agent), asking);
    const { id, expiresAt } = grant.plan.task;
    return { taskId: id, expiresAt, body: grantView(grant) };
  }

  /** A token of a single-use issuer stands for one task; what it started it may still look at, renew and end. */
  private async useIdentity({ identity, requestId }: AgentPrincipal): Promise<void> {
    if (!identity.singleUse || identity.jti === undefined) return;
    if (await this.parts.identityUses.consume(identity.issuerUrl, identity.jti, identity.expiresAt)) return;
    const problem = replayRefused(identity);
    await this.parts.refusals.identity(problem, { route: 'POST /tasks', requestId });
    throw problem;
  }
}

function asked({ ttlSeconds, ...request }: CreateTask) {
  return { ...request, ...(ttlSeconds === undefined ? {} : { ttlSeconds }) };
}
