import { auditEntry } from '@mayfly/audit';
import type { Targets } from '@mayfly/credentials';
import type { AgentPrincipal, Principal } from '@mayfly/identity';
import {
  addSeconds,
  type Clock,
  digestOf,
  earliest,
  type JsonObject,
  newId,
  present,
  Problem,
  type TaskId,
} from '@mayfly/kernel';
import { Decision, type Judgement, keptDecision } from '@mayfly/policy';
import type { StepObserver, UseQuota } from '@mayfly/tasks';
import type { DelegateInputs, RequestInputs } from '../decisions/decision-inputs.js';
import type { DecidedOn } from '../decisions/decision-recorder.js';
import { delegateInputs } from '../decisions/delegate-inputs.js';
import { requestInputs } from '../decisions/request-inputs.js';
import type { KeyedAnswer, KeyHolds } from '../key-holds.js';
import { actorOfRequester } from '../plan.js';
import type { PolicyJudge } from '../policy-control.js';
import type { ChildRequest, KeyHold, TaskRequest } from '../request.js';
import { requesterOf } from '../requester.js';
import type { TaskIssuance } from '../task-issuance.js';
import type { StoredTask, TaskStore } from '../task.store.js';
import { grantView, type TaskTokenMaker } from '../task.view.js';
import type { TemplateSource } from '../template-source.js';
import { judgeAcceptance, parentDenial } from './delegation-controls.js';
import type { Ancestor, Delegated, Delegation, DelegationStore } from './delegation.store.js';
import { delegationView, treeView } from './delegation.view.js';
import { judgeDelegated, judgeDelegation, type JudgedDelegation } from './judge-delegation.js';

/** The longest time in which a delegation may be taken up. It ends earlier with its parent. */
const ACCEPT_SECONDS = 300;
/** The most nodes of a tree that one answer shows. */
const TREE_LIMIT = 1_000;

/** The parts that delegations work with. */
export interface DelegationsParts {
  readonly store: DelegationStore;
  readonly tasks: Pick<TaskStore, 'find'>;
  readonly issuance: TaskIssuance;
  readonly templates: TemplateSource;
  readonly policies: PolicyJudge;
  readonly agents: { knows(name: string): boolean };
  readonly targets: Pick<Targets, 'scopeFault' | 'isWithin'>;
  readonly keyHolds: KeyHolds;
  readonly taskTokens: TaskTokenMaker;
  readonly observer: StepObserver;
  readonly clock: Clock;
  /** replaces what looks like a secret */
  readonly redact: (text: string) => string;
}

/** The request of an agent to hand a part of its task on. */
export interface AskedDelegation {
  /** the name of the agent that takes it up; the same agent, if absent */
  readonly agent?: string | undefined;
  readonly template: string;
  readonly parameters: JsonObject;
  readonly purpose: string;
  readonly ttlSeconds?: number | undefined;
  readonly uses?: UseQuota['uses'];
}

/**
 * Task trees: an agent hands a part of its task on, and the named agent takes it up with its own identity. A child is
 * within its parent in scope, lifetime and depth (I8), and ends with it.
 */
export class Delegations {
  constructor(private readonly parts: DelegationsParts) {}

  /**
   * Hands a part of a task on. Throws `not_found` for another agent's task, and `policy_denied` with a control of its own
   * for each way in which the child would be more than the parent allows.
   */
  async delegate(agent: AgentPrincipal, parentId: TaskId, asked: AskedDelegation, key?: string): Promise<JsonObject> {
    await this.parts.issuance.admit();
    const parent = await this.requireOwn(agent, parentId);
    const ancestors = await this.parts.store.ancestors(parentId);
    const { decision, decidedOn } = this.decide(agent, parent, ancestors, asked);
    if (!decision.permitted) throw await this.refuse(agent, asked, decision, decidedOn(null));
    const delegation = this.delegationOf(parent, asked);
    const { id, template, parameters, purpose, acceptBy } = delegation;
    const facts = {
      child: id,
      agent: delegation.agent,
      template,
      parameters,
      purpose,
      acceptBy: acceptBy.toISOString(),
      ...present({ uses: delegation.uses as number | Record<string, number> | undefined }),
    };
    const requester = requesterOf(agent);
    const subject = { taskId: parentId, agent: agent.agent.name };
    const fingerprint = digestOf({ ...asked });
    const permitted = decision.with(...judgeDelegated('delegated', parent.template.name));
    const on = decidedOn({ verdict: 'delegated' });
    const kept = keptDecision(await this.parts.issuance.recordOf(requester, permitted, on));
    const delegated = await this.parts.store.delegate({
      ...{ delegation, maxChildren: maxChildrenOf(ancestors), fingerprint, ...present({ idempotencyKey: key }) },
      entry: auditEntry('task.delegated', delegation.createdAt, actorOfRequester(requester), subject, facts, kept),
    });
    await this.parts.observer.reached('delegate');
    const { verdict } = delegated;
    if (verdict === 'delegated') return delegationView(delegation);
    if (verdict === 'known') return knownView(delegated, fingerprint);
    const refused = decision.with(...judgeDelegated(verdict, parent.template.name));
    throw await this.refuse(agent, asked, refused, decidedOn({ verdict }));
  }

  /**
   * Takes a delegation up, with the identity of the agent that it names; answers like a grant. Throws `not_found`,
   * `policy_denied` for another agent and for a delegation that no longer waits, and the errors of `TaskIssuance.issue`.
   */
  async accept(agent: AgentPrincipal, id: TaskId, key: string | undefined): Promise<JsonObject> {
    const accept = (keyHold?: KeyHold): Promise<KeyedAnswer> => this.take(agent, id, keyHold);
    if (key === undefined) return (await accept()).body;
    const { issuer, subject } = agent.identity;
    const owner = { agentId: agent.agent.id, runtime: agent.runtime, issuer, subject };
    return this.parts.keyHolds.once(owner, key, { accept: id }, accept);
  }

  /** Returns the tree that a task is in. Throws `not_found` as `Tasks.view` does. */
  async tree(caller: Principal, taskId: TaskId): Promise<JsonObject> {
    const task = await this.parts.tasks.find(taskId);
    const rootId = task?.origin?.rootId ?? taskId;
    const nodes = task === undefined ? [] : await this.parts.store.tree(rootId, TREE_LIMIT + 1);
    const isIn = caller.kind !== 'agent' || nodes.some(({ agent }) => agent === caller.agent.name);
    if (task === undefined || !isIn) throw unknown(taskId);
    return treeView(rootId, nodes.slice(0, TREE_LIMIT), nodes.length > TREE_LIMIT);
  }

  private async take(agent: AgentPrincipal, id: TaskId, keyHold?: KeyHold): Promise<KeyedAnswer> {
    await this.parts.issuance.admit();
    const delegation = await this.parts.store.find(id);
    if (delegation === undefined) throw unknown(id);
    const { template, parameters, purpose, ttlSeconds } = delegation;
    const asked = { template, parameters, purpose, ...(ttlSeconds === undefined ? {} : { ttlSeconds }) };
    const parent = await this.parts.tasks.find(delegation.parentId);
    const found = acceptanceOf(delegation, parent, this.parts.clock.now());
    const refusal = judgeAcceptance(found, agent.agent.name);
    if (refusal !== undefined || parent === undefined) throw await this.refuseAcceptance(agent, asked, found, refusal);
    const request: TaskRequest = {
      ...{ ...asked, child: childOf(delegation, parent) },
      ...(keyHold === undefined ? {} : { keyHold }),
    };
    await this.parts.observer.reached('accept');
    const grant = await this.parts.issuance.issue(requesterOf(agent), request);
    return { taskId: id, expiresAt: grant.plan.task.expiresAt, body: grantView(grant, this.parts.taskTokens) };
  }

  /** Decides a delegation, but for what its commit finds. `decidedOn` returns what it was made of. */
  private decide(agent: AgentPrincipal, parent: StoredTask, ancestors: readonly Ancestor[], asked: AskedDelegation) {
    const { templates, agents, targets, policies, clock, issuance } = this.parts;
    const at = clock.now();
    const requester = requesterOf(agent);
    const acceptor = asked.agent ?? parent.agent.name;
    const judged = {
      ...{ at, ancestors, acceptorIsKnown: agents.knows(acceptor), template: templates.current(asked.template) },
      parent: delegatingParent(parent),
      asked: { ...asked, agent: acceptor },
    };
    const facts = issuance.factsOf(requester, judged.template);
    return {
      decision: Decision.of(judgeDelegation({ ...judged, targets, policies, requester })),
      decidedOn: (commit: DelegateInputs['commit']): DecidedOn => {
        const inputs = delegateInputs(requester, judged, facts, parent.id, this.parts.redact(asked.purpose));
        return { phase: 'delegate', taskId: parent.id, inputs: { ...inputs, commit }, template: judged.template };
      },
    };
  }

  private delegationOf(parent: StoredTask, asked: AskedDelegation): Delegation {
    const at = this.parts.clock.now();
    const { ttlSeconds, template, parameters, purpose } = asked;
    return {
      ...{ id: newId('tsk'), parentId: parent.id, rootId: parent.origin?.rootId ?? parent.id },
      ...{ depth: (parent.origin?.depth ?? 0) + 1, agent: asked.agent ?? parent.agent.name },
      ...{ template, parameters, purpose: this.parts.redact(purpose), createdAt: at },
      ...present({ ttlSeconds, uses: asked.uses }),
      acceptBy: earliest(addSeconds(at, ACCEPT_SECONDS), parent.expiresAt),
    };
  }

  private async requireOwn({ agent }: AgentPrincipal, taskId: TaskId): Promise<StoredTask> {
    const task = await this.parts.tasks.find(taskId);
    if (task?.agent.id !== agent.id) throw unknown(taskId);
    return task;
  }

  /** Audits a denial of a delegation, and returns its problem. */
  private refuse(agent: AgentPrincipal, asked: AskedDelegation, decision: Decision, on: DecidedOn): Promise<Problem> {
    const { template, parameters, purpose } = asked;
    const request = { template, parameters, purpose: this.parts.redact(purpose) };
    return this.parts.issuance.refusal(requesterOf(agent), request, decision, on);
  }

  /** Audits a refused acceptance, and returns its problem. */
  private refuseAcceptance(
    agent: AgentPrincipal,
    asked: TaskRequest,
    delegation: NonNullable<RequestInputs['delegation']>,
    refusal: Judgement = parentDenial(),
  ): Promise<Problem> {
    const { templates, clock, issuance } = this.parts;
    const requester = requesterOf(agent);
    const template = templates.current(asked.template);
    const read = { at: clock.now(), facts: issuance.factsOf(requester, template), ...present({ template }) };
    const inputs = requestInputs(requester, asked, read, { delegation });
    return issuance.refusal(requester, asked, Decision.of([refusal]), { phase: 'request', inputs, template });
  }
}

function acceptanceOf(delegation: Delegation, parent: StoredTask | undefined, now: Date) {
  return {
    agent: delegation.agent,
    waits: delegation.acceptedAt === undefined && delegation.acceptBy > now,
    parentRuns: parent !== undefined && !isOver(parent),
  };
}

function delegatingParent(parent: StoredTask): JudgedDelegation['parent'] {
  const { agent, template, expiresAt, leases, lockdownId } = parent;
  return {
    ...{ agent: agent.name, template: template.name, expiresAt, held: leases, runs: !isOver(parent) },
    ...present({ lockdownId }),
  };
}

function childOf({ id, parentId, rootId, depth }: Delegation, parent: StoredTask): ChildRequest {
  const actors = [...(parent.origin?.actors ?? []), parent.agent.id];
  const { expiresAt, maxExpiresAt, leases } = parent;
  return { taskId: id, origin: { parentId, rootId, depth, actors }, expiresAt, maxExpiresAt, held: leases };
}

/** Returns the delegation that an earlier request under the same key made. Throws for another request. */
function knownView(known: Extract<Delegated, { readonly verdict: 'known' }>, fingerprint: string): JsonObject {
  if (known.fingerprint === fingerprint) return delegationView(known.delegation);
  throw new Problem('idempotency_key_reused', 'this `Idempotency-Key` belongs to another request; use a new key');
}

function maxChildrenOf([own]: readonly Ancestor[]): number {
  return own?.rule?.maxChildren ?? 0;
}

function isOver({ state, endCause }: StoredTask): boolean {
  return state !== 'active' || endCause !== undefined;
}

function unknown(taskId: TaskId): Problem {
  return new Problem('not_found', `there is no task \`${taskId}\``);
}
