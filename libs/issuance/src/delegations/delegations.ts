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
import { Decision, deny, type Judgement } from '@mayfly/policy';
import type { StepObserver } from '@mayfly/tasks';
import { judged } from '../judged.js';
import type { KeyedAnswer, KeyHolds } from '../key-holds.js';
import { lockdownDenial } from '../lockdown-control.js';
import { actorOfRequester } from '../plan.js';
import { judgeByPolicies, policyInputOf, type PolicyJudge } from '../policy-control.js';
import { renderScopes } from '../rendered-scopes.js';
import type { ChildRequest, KeyHold, TaskRequest } from '../request.js';
import { requesterOf } from '../requester.js';
import type { TaskIssuance } from '../task-issuance.js';
import type { StoredTask, TaskStore } from '../task.store.js';
import { grantView } from '../task.view.js';
import type { TemplateSource } from '../template-source.js';
import { judgeAttenuation, parentDenial, pendingDenial } from './delegation-controls.js';
import type { Ancestor, Delegated, Delegation, DelegationStore } from './delegation.store.js';
import { delegationView, treeView } from './delegation.view.js';

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
    const objection = this.judge(parent, ancestors, asked) ?? this.judgePolicies(agent, parent, asked);
    if (objection !== undefined) throw await this.refuse(agent, asked, objection);
    const delegation = this.delegationOf(parent, asked);
    const { id, template, parameters, purpose, acceptBy } = delegation;
    const facts = {
      child: id,
      agent: delegation.agent,
      template,
      parameters,
      purpose,
      acceptBy: acceptBy.toISOString(),
    };
    const requester = requesterOf(agent);
    const subject = { taskId: parentId, agent: agent.agent.name };
    const fingerprint = digestOf({ ...asked });
    const delegated = await this.parts.store.delegate({
      ...{ delegation, maxChildren: maxChildrenOf(ancestors), fingerprint, ...present({ idempotencyKey: key }) },
      entry: auditEntry('task.delegated', delegation.createdAt, actorOfRequester(requester), subject, facts),
    });
    await this.parts.observer.reached('delegate');
    if (delegated.verdict === 'delegated') return delegationView(delegation);
    if (delegated.verdict === 'known') return knownView(delegated, fingerprint);
    const denial = delegated.verdict === 'parent' ? parentDenial() : tooManyChildren(parent);
    throw await this.refuse(agent, asked, denial);
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
    if (delegation.agent !== agent.agent.name) throw await this.refuse(agent, asked, anotherAcceptor(delegation));
    if (delegation.acceptedAt !== undefined || delegation.acceptBy <= this.parts.clock.now())
      throw await this.refuse(agent, asked, pendingDenial());
    const parent = await this.parts.tasks.find(delegation.parentId);
    if (parent === undefined || isOver(parent)) throw await this.refuse(agent, asked, parentDenial());
    const request: TaskRequest = {
      ...{ ...asked, child: childOf(delegation, parent) },
      ...(keyHold === undefined ? {} : { keyHold }),
    };
    await this.parts.observer.reached('accept');
    const grant = await this.parts.issuance.issue(requesterOf(agent), request);
    return { taskId: id, expiresAt: grant.plan.task.expiresAt, body: grantView(grant) };
  }

  /** Returns the first control that denies, in the order in which a caller can mend them. */
  private judge(parent: StoredTask, ancestors: readonly Ancestor[], asked: AskedDelegation): Judgement | undefined {
    if (parent.lockdownId !== undefined) return lockdownDenial(parent.lockdownId);
    if (isOver(parent)) return parentDenial();
    const [own] = ancestors;
    const template = this.parts.templates.current(asked.template);
    if (own?.rule?.templates.includes(asked.template) !== true || template === undefined)
      return deny(
        'delegation-template',
        `template \`${parent.template.name}\` does not hand \`${asked.template}\` on`,
        {
          help: 'use a template that `delegation.templates` names, and that is published',
        },
      );
    if (depthLeft(ancestors) < 1)
      return deny('delegation-depth', 'no more levels are allowed below this task (`delegation.maxDepth`)', {
        help: 'do this part of the work in this task',
      });
    return this.judgeAgent(asked.agent ?? parent.agent.name, ancestors, asked) ?? this.judgeExtent(parent, asked);
  }

  /** Judges who takes the work up. */
  private judgeAgent(agent: string, ancestors: readonly Ancestor[], asked: AskedDelegation): Judgement | undefined {
    if (!this.parts.agents.knows(agent))
      return deny('delegation-acceptor', `there is no agent \`${agent}\``, { help: 'name a registered agent' });
    if (ancestors.some((one) => one.agent === agent && one.template === asked.template))
      return deny('delegation-cycle', `agent \`${agent}\` has \`${asked.template}\` in this task or above it`, {
        help: 'hand on to another agent, or as another template',
      });
    return undefined;
  }

  /** Asks the policies whether the agent may hand this on; they decide again about the agent that takes it up. */
  private judgePolicies(agent: AgentPrincipal, parent: StoredTask, asked: AskedDelegation): Judgement | undefined {
    const version = this.parts.templates.current(asked.template)?.version;
    if (version === undefined) return undefined; // judged before
    const treeDepth = (parent.origin?.depth ?? 0) + 1;
    const at = this.parts.clock.now();
    const input = policyInputOf('delegate', requesterOf(agent), version, at, { ...asked, treeDepth });
    return judgeByPolicies(this.parts.policies, input, version).judgements.find(({ outcome }) => outcome === 'deny');
  }

  /** Judges lifetime, parameters and scopes. */
  private judgeExtent(
    parent: StoredTask,
    { template, parameters, ttlSeconds }: AskedDelegation,
  ): Judgement | undefined {
    const left = Math.floor((parent.expiresAt.getTime() - this.parts.clock.now().getTime()) / 1000);
    if (ttlSeconds !== undefined && ttlSeconds > left)
      return deny('delegation-lifetime', `the parent has ${String(left)} s left, and the child would have more`, {
        help: `ask for at most ${String(left)} s, or renew the parent first`,
      });
    const compiled = this.parts.templates.current(template);
    if (compiled === undefined) return undefined; // judged before
    const rendered = judged('parameters', () =>
      renderScopes(compiled, compiled.validate(parameters), this.parts.targets),
    );
    if (!('value' in rendered)) return rendered.judgement;
    const within = judgeAttenuation(rendered.value, parent.leases, this.parts.targets);
    return within.outcome === 'deny' ? within : undefined;
  }

  private delegationOf(parent: StoredTask, asked: AskedDelegation): Delegation {
    const at = this.parts.clock.now();
    const { ttlSeconds, template, parameters, purpose } = asked;
    return {
      ...{ id: newId('tsk'), parentId: parent.id, rootId: parent.origin?.rootId ?? parent.id },
      ...{ depth: (parent.origin?.depth ?? 0) + 1, agent: asked.agent ?? parent.agent.name },
      ...{ template, parameters, purpose: this.parts.redact(purpose), createdAt: at },
      ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
      acceptBy: earliest(addSeconds(at, ACCEPT_SECONDS), parent.expiresAt),
    };
  }

  private async requireOwn({ agent }: AgentPrincipal, taskId: TaskId): Promise<StoredTask> {
    const task = await this.parts.tasks.find(taskId);
    if (task?.agent.id !== agent.id) throw unknown(taskId);
    return task;
  }

  /** Audits a denial, and returns its problem. */
  private refuse(agent: AgentPrincipal, asked: AskedDelegation, denial: Judgement): Promise<Problem> {
    const { template, parameters, purpose } = asked;
    const request = { template, parameters, purpose: this.parts.redact(purpose) };
    return this.parts.issuance.refusal(requesterOf(agent), request, Decision.of([denial]));
  }
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

/** The levels that may follow below the first task: each task above it bounds them too. */
function depthLeft(ancestors: readonly Ancestor[]): number {
  return Math.min(...ancestors.map(({ rule }, above) => (rule?.maxDepth ?? 0) - above));
}

function isOver({ state, endCause }: StoredTask): boolean {
  return state !== 'active' || endCause !== undefined;
}

const tooManyChildren = ({ template }: StoredTask) =>
  deny('delegation-children', `template \`${template.name}\` allows no more children at a time (\`maxChildren\`)`, {
    help: 'wait until a child ends',
  });

const anotherAcceptor = ({ agent }: Delegation) =>
  deny('delegation-acceptor', `the delegation is for agent \`${agent}\``, { help: 'let that agent take it up' });

function unknown(taskId: TaskId): Problem {
  return new Problem('not_found', `there is no task \`${taskId}\``);
}
