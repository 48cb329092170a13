import { type ProviderRegistry, Targets } from '@mayfly/credentials';
import { digestOf, type LockdownId, Problem } from '@mayfly/kernel';
import { Decision, type DecisionPhase } from '@mayfly/policy';
import { NO_OBSERVER } from '@mayfly/tasks';
import { CompiledTemplate, type TaskTemplateSpec } from '@mayfly/templates';
import { Assessor } from '../assessment.js';
import { judgeCommit } from '../commit-control.js';
import { judgeAcceptance } from '../delegations/delegation-controls.js';
import { judgeDelegated, judgeDelegation } from '../delegations/judge-delegation.js';
import { lockdownDenial } from '../lockdown-control.js';
import { judgeRenewal } from '../renewal-controls.js';
import { type FactSet, factsJson } from './declared-facts.js';
import type { DecisionInputs, DelegateInputs, RequestInputs } from './decision-inputs.js';
import { factsFrom, heldFrom, lockdownFrom, requesterFrom, requestFrom } from './request-inputs.js';

/** A decision reads no secret. */
const NO_SECRETS = {
  read: (): Promise<string> => Promise.reject(new Problem('internal', 'a decision reads no secret')),
};

/**
 * Decides stored inputs with the code that decides requests: the ports through which it reads declared state and time
 * answer from the inputs. `spec` is that of the template version which the inputs name.
 */
export function decide(
  phase: DecisionPhase,
  inputs: DecisionInputs,
  spec: TaskTemplateSpec | undefined,
  providers: ProviderRegistry,
): Decision {
  const template = templateOf(inputs, spec);
  return 'ancestors' in inputs
    ? decideDelegation(inputs, template, targetsOf(inputs, providers))
    : decideRequest(phase, inputs, template, targetsOf(inputs, providers));
}

function decideRequest(
  phase: DecisionPhase,
  inputs: RequestInputs,
  template: CompiledTemplate | undefined,
  targets: Targets,
): Decision {
  const { delegation, task, commit } = inputs;
  if (task !== null && task.lockdown !== null) return Decision.of([lockdownDenial(task.lockdown)]);
  if (delegation !== null) {
    const refused = judgeAcceptance(delegation, inputs.agent.name);
    if (refused !== undefined) return Decision.of([refused]);
  }
  const requester = requesterFrom(inputs);
  const assessment = assessorOf(inputs, template, targets).assess(requester, requestFrom(inputs));
  const renewal =
    phase === 'renew' && task !== null
      ? judgeRenewal(inputs.runtime, renewedTaskOf(inputs.request.template, task), assessment, targets)
      : [];
  const decision = assessment.decision.with(...renewal);
  if (commit === null || template === undefined || !decision.permitted) return decision;
  return decision.with(...judgeCommit(commit, inputs.agent.name, template.version));
}

function decideDelegation(inputs: DelegateInputs, template: CompiledTemplate | undefined, targets: Targets): Decision {
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
    ...{ acceptorIsKnown: inputs.acceptorIsKnown, template, targets },
  });
  const decision = Decision.of(judgements);
  if (commit === null || !decision.permitted) return decision;
  return decision.with(...judgeDelegated(commit.verdict, parent.template));
}

function templateOf({ template }: DecisionInputs, spec: TaskTemplateSpec | undefined): CompiledTemplate | undefined {
  if (template === null || spec === undefined) return undefined;
  return new CompiledTemplate({ ...template, spec, labels: {} });
}

function assessorOf(inputs: RequestInputs, template: CompiledTemplate | undefined, targets: Targets): Assessor {
  const facts = factsFrom(inputs);
  const set: FactSet = { facts, digest: digestOf(factsJson(facts)), isKept: true };
  const lockdown = lockdownFrom(inputs.lockdown);
  const templates = { current: () => template, lockdownOf: () => lockdown };
  return new Assessor(templates, targets, { now: () => new Date(inputs.at) }, NO_OBSERVER, { of: () => set });
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
