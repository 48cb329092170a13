import { type ProviderRegistry, Targets } from '@mayfly/credentials';
import { digestOf, type LockdownId, Problem } from '@mayfly/kernel';
import {
  type DeclaredPolicy,
  Decision,
  type DecisionPhase,
  type Judgement,
  PoliciesInForce,
  type PolicyEngine,
} from '@mayfly/policy';
import { NO_OBSERVER } from '@mayfly/tasks';
import { CompiledTemplate, type TaskTemplateSpec } from '@mayfly/templates';
import { Assessor } from '../assessment.js';
import { judgeCommit } from '../commit-control.js';
import { judgeAcceptance } from '../delegations/delegation-controls.js';
import { judgeDelegated, judgeDelegation } from '../delegations/judge-delegation.js';
import { lockdownDenial } from '../lockdown-control.js';
import { judgeRecordedOutside } from '../outside-decision.js';
import type { PolicyJudge } from '../policy-control.js';
import { judgeRenewal } from '../renewal-controls.js';
import { type FactSet, factsJson } from './declared-facts.js';
import type { DecisionInputs, DelegateInputs, RequestInputs } from './decision-inputs.js';
import { factsFrom, heldFrom, lockdownFrom, requesterFrom, requestFrom } from './request-inputs.js';

/** A decision reads no secret. */
const NO_SECRETS = {
  read: (): Promise<string> => Promise.reject(new Problem('internal', 'a decision reads no secret')),
};

/** The documents that inputs name: the spec of the template version, and the `Policy` documents in force. */
export interface NamedDocuments {
  readonly spec: TaskTemplateSpec | undefined;
  readonly policies: readonly DeclaredPolicy[];
}

/** The parts that decide stored inputs: code without state. */
export interface Deciders {
  readonly providers: ProviderRegistry;
  readonly policyEngine: PolicyEngine;
}

/**
 * Decides stored inputs with the code that decides requests: the ports through which it reads declared state and time
 * answer from the inputs.
 */
export function decide(
  phase: DecisionPhase,
  inputs: DecisionInputs,
  { spec, policies }: NamedDocuments,
  { providers, policyEngine }: Deciders,
): Decision {
  const template = templateOf(inputs, spec);
  const targets = targetsOf(inputs, providers);
  // An error of a policy is in the verdict.
  const judge = new PoliciesInForce(policyEngine, { policies }, () => undefined);
  return 'ancestors' in inputs
    ? decideDelegation(inputs, template, targets, judge)
    : decideRequest(phase, inputs, template, targets, judge);
}

function decideRequest(
  phase: DecisionPhase,
  inputs: RequestInputs,
  template: CompiledTemplate | undefined,
  targets: Targets,
  policies: PolicyJudge,
): Decision {
  const { task, commit } = inputs;
  const refused = judgeBefore(inputs);
  if (refused !== undefined) return Decision.of([refused]);
  const requester = requesterFrom(inputs);
  const assessment = assessorOf(inputs, template, targets, policies).assess(requester, requestFrom(inputs));
  const renewal =
    phase === 'renew' && task !== null
      ? judgeRenewal(inputs.runtime, renewedTaskOf(inputs.request.template, task), assessment, targets)
      : [];
  const local = assessment.decision.with(...renewal);
  const decision = local.permitted ? local.with(...judgeRecordedOutside(inputs.outside)) : local;
  if (commit === null || template === undefined || !decision.permitted) return decision;
  const obligations = assessment.permitted ? assessment.obligations : {};
  return decision.with(...judgeCommit(commit, inputs.agent.name, template.version, obligations));
}

/** Returns the denial of a request that was refused before its template was looked at. */
function judgeBefore({ task, delegation, agent }: RequestInputs): Judgement | undefined {
  if (task !== null && task.lockdown !== null) return lockdownDenial(task.lockdown);
  return delegation === null ? undefined : judgeAcceptance(delegation, agent.name);
}

function decideDelegation(
  inputs: DelegateInputs,
  template: CompiledTemplate | undefined,
  targets: Targets,
  policies: PolicyJudge,
): Decision {
  const { parent, request, ancestors, commit } = inputs;
  const { ttlSeconds, ...asked } = request;
  const judgements = judgeDelegation({
    at: new Date(inputs.at),
    parent: {
      ...{ runs: parent.runs, agent: parent.agent, template: parent.template, held: heldFrom(parent.held) },
      ...(parent.lockdown === null ? {} : { lockdownId: parent.lockdown as LockdownId }),
      expiresAt: new Date(parent.expiresAt),
    },
    ancestors: ancestors.map(({ rule, ...one }) => ({ ...one, ...(rule === null ? {} : { rule }) })),
    asked: { ...asked, parameters: asked.parameters, ttlSeconds: ttlSeconds ?? undefined },
    ...{ acceptorIsKnown: inputs.acceptorIsKnown, template, targets, policies },
    requester: requesterFrom(inputs),
  });
  const decision = Decision.of(judgements);
  if (commit === null || !decision.permitted) return decision;
  return decision.with(...judgeDelegated(commit.verdict, parent.template));
}

function templateOf(
  { template, templateLabels }: DecisionInputs,
  spec: TaskTemplateSpec | undefined,
): CompiledTemplate | undefined {
  if (template === null || spec === undefined) return undefined;
  return new CompiledTemplate({ ...template, spec, labels: templateLabels });
}

function assessorOf(
  inputs: RequestInputs,
  template: CompiledTemplate | undefined,
  targets: Targets,
  policies: PolicyJudge,
): Assessor {
  const facts = factsFrom(inputs);
  const policySet = { documents: [], digest: facts.policies, isKept: true };
  const set: FactSet = { facts, digest: digestOf(factsJson(facts)), isKept: true, policySet };
  const lockdown = lockdownFrom(inputs.lockdown);
  const templates = { current: () => template, lockdownOf: () => lockdown };
  const clock = { now: () => new Date(inputs.at) };
  return new Assessor(templates, targets, clock, NO_OBSERVER, { of: () => set }, policies);
}

function targetsOf(inputs: DecisionInputs, providers: ProviderRegistry): Targets {
  const disabled = 'task' in inputs && inputs.task !== null ? inputs.task.disabled : [];
  const connections = new Map(factsFrom(inputs).connections.map((connection) => [connection.name, connection]));
  const find = (name: string) => {
    const declared = connections.get(name);
    if (declared !== undefined || !disabled.includes(name)) return declared;
    // A connection of a lease that the version in force no longer names: a decision reads its state alone.
    return { name, spec: { provider: '', owner: '', config: {} }, disabled: true };
  };
  return new Targets(providers, { find }, NO_SECRETS);
}

function renewedTaskOf(template: string, { runtime, leases }: NonNullable<RequestInputs['task']>) {
  return {
    ...{ runtime, template: { name: template } },
    leases: leases.map(({ name, connection, scope }) => ({
      ...{ name, scope: scope, ...(connection === null ? {} : { connection }) },
    })),
  };
}
