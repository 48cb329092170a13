import { actorOf } from '@mayfly/audit';
import type { AgentPrincipal, Principal } from '@mayfly/identity';
import { type JsonObject, Problem, type TaskId } from '@mayfly/kernel';
import { problemOf } from '@mayfly/policy';
import type { TaskEndCause } from '@mayfly/tasks';
import type { KeyedAnswer, KeyHolds } from './key-holds.js';
import type { KeyHold } from './request.js';
import { requesterOf } from './requester.js';
import type { TaskEnder, TaskIssuance } from './task-issuance.js';
import type { TaskRenewal } from './task-renewal.js';
import type { TaskStore } from './task.store.js';
import { grantView, previewView, type TaskTokenMaker, taskView } from './task.view.js';

/** The ports that `Tasks` calls. */
export interface TasksParts {
  readonly issuance: TaskIssuance;
  readonly renewal: TaskRenewal;
  readonly ending: TaskEnder;
  readonly tasks: TaskStore;
  readonly keyHolds: KeyHolds;
  readonly taskTokens: TaskTokenMaker;
  /** replaces what looks like a secret */
  readonly redact: (text: string) => string;
}

/** The request for a task as the agent sends it. */
export interface AskedTask {
  readonly template: string;
  readonly parameters: JsonObject;
  readonly purpose: string;
  readonly ttlSeconds?: number | undefined;
}

/**
 * Creates, reads, renews and ends tasks for the routes. INVARIANT: I10, the texts that an agent writes are redacted
 * before they are stored: an agent may quote an error that holds its credential.
 */
export class Tasks {
  constructor(private readonly parts: TasksParts) {}

  /** Grants a task and returns its secrets, once per idempotency key. */
  async create(agent: AgentPrincipal, request: AskedTask, idempotencyKey: string | undefined): Promise<JsonObject> {
    if (idempotencyKey === undefined) return (await this.grant(agent, request)).body;
    const { issuer, subject } = agent.identity;
    const owner = { agentId: agent.agent.id, runtime: agent.runtime, issuer, subject };
    return this.parts.keyHolds.once(owner, idempotencyKey, { ...request }, (keyHold) =>
      this.grant(agent, request, keyHold),
    );
  }

  /**
   * Predicts the result of `create`, control by control. Mints nothing, takes no quota. A denial (`policy_denied`,
   * `quota_exceeded`) is part of the answer; for any other problem it throws what `create` would throw.
   */
  async dryRun(agent: AgentPrincipal, request: AskedTask): Promise<JsonObject> {
    const preview = await this.parts.issuance.preview(requesterOf(agent), this.asked(request));
    if (preview.decision.permitted) return previewView(preview);
    const problem = problemOf(preview.decision);
    if (problem.code === 'policy_denied' || problem.code === 'quota_exceeded') return previewView(preview);
    throw problem;
  }

  /** Reads a task without secrets. Throws `not_found`, also for an agent that reads another agent's task. */
  async view(caller: Principal, taskId: TaskId): Promise<JsonObject> {
    return taskView(await this.requireOwn(caller, taskId));
  }

  /**
   * Ends a task, closes the leases that can be closed at once, and returns the state of all leases. Throws `not_found`
   * as `view` does.
   */
  async end(caller: Principal, taskId: TaskId, cause: TaskEndCause, reason?: string): Promise<JsonObject> {
    await this.requireOwn(caller, taskId);
    const told = reason === undefined ? {} : { reason: this.parts.redact(reason) };
    await this.parts.ending.end({ taskId, cause, actor: actorOf(caller), ...told });
    return this.view(caller, taskId);
  }

  async heartbeat(agent: AgentPrincipal, taskId: TaskId): Promise<JsonObject> {
    await this.parts.renewal.heartbeat(requesterOf(agent), taskId);
    return this.view(agent, taskId);
  }

  /** Renews a task. Returns the limit of its lifetime, and the new secret of each credential that was issued again. */
  async renew(agent: AgentPrincipal, taskId: TaskId, ttlSeconds: number | undefined): Promise<JsonObject> {
    const renewed = await this.parts.renewal.renew(requesterOf(agent), taskId, ttlSeconds);
    return taskView(await this.requireOwn(agent, taskId), renewed);
  }

  /**
   * Returns the task. Throws `not_found` when there is none, or when the caller is an agent and it is another agent's.
   */
  private async requireOwn(caller: Principal, taskId: TaskId) {
    const task = await this.parts.tasks.find(taskId);
    const isHidden = caller.kind === 'agent' && task?.agent.id !== caller.agent.id;
    if (task === undefined || isHidden) throw new Problem('not_found', `there is no task \`${taskId}\``);
    return task;
  }

  private async grant(agent: AgentPrincipal, request: AskedTask, keyHold?: KeyHold): Promise<KeyedAnswer> {
    const asking = { ...this.asked(request), ...(keyHold === undefined ? {} : { keyHold }) };
    const grant = await this.parts.issuance.issue(requesterOf(agent), asking);
    const { id, expiresAt } = grant.plan.task;
    return { taskId: id, expiresAt, body: grantView(grant, this.parts.taskTokens) };
  }

  private asked({ ttlSeconds, purpose, ...request }: AskedTask) {
    return { ...request, purpose: this.parts.redact(purpose), ...(ttlSeconds === undefined ? {} : { ttlSeconds }) };
  }
}
