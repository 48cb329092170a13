import { addSeconds, type JsonObject, present } from '@mayfly/kernel';
import {
  type Decision,
  type DecisionPoint,
  type DecisionQuestion,
  deny,
  type Judgement,
  permit,
  type Verdict,
} from '@mayfly/policy';
import type { RequestInputs } from './decisions/decision-inputs.js';
import type { Assessment, PermittedRequest } from './assessment.js';
import type { Requester, TaskRequest } from './request.js';

/** Port: the decision point outside of Mayfly that a service may require. */
export type OutsideDecision = Pick<DecisionPoint, 'judge'>;

/**
 * Asks the outside decision point about a request that every control of Mayfly permits. It can only deny: what it
 * permits is no more than what Mayfly permitted.
 */
export async function judgeOutside(
  point: OutsideDecision,
  action: DecisionQuestion['action'],
  requester: Requester,
  request: TaskRequest,
  permitted: PermittedRequest,
): Promise<Assessment> {
  const { agent, runtime, issuer, subject } = requester;
  const { name, version, spec } = permitted.template.version;
  const verdict = await point.judge({
    ...{ action, agent: { name: agent.name, labels: agent.labels, runtime, issuer, subject } },
    template: { name, version, owner: spec.owner },
    context: contextOf(request, permitted),
  });
  const decision = permitted.decision.with(verdict);
  const { template, at, facts } = permitted;
  return decision.permitted ? { ...permitted, decision } : { permitted: false, decision, template, at, facts };
}

function contextOf(
  { purpose, child }: TaskRequest,
  { at, lifetime, parameters, scopes }: PermittedRequest,
): JsonObject {
  return {
    ...{ time: at.toISOString(), purpose, parameters },
    lifetimeSeconds: lifetime.grantedSeconds,
    expiresAt: addSeconds(at, lifetime.grantedSeconds).toISOString(),
    credentials: scopes.map(({ name, provider, connection, scope }) => ({
      ...{ name, provider, connection: connection ?? null, scope },
    })),
    ...(child === undefined ? {} : { parentId: child.origin.parentId, rootId: child.origin.rootId }),
  };
}

/** Returns the verdict of the outside decision point in a decision, for its record; null when it was not asked. */
export function outsideInput(decision: Pick<Decision, 'trace'>): RequestInputs['outside'] {
  return outsideIn(decision.trace);
}

export function outsideIn(trace: readonly Verdict[]): RequestInputs['outside'] {
  const verdict = trace.find(({ control }) => control === 'decision-point');
  if (verdict === undefined || verdict.outcome === 'not_evaluated') return null;
  const { outcome, detail, help, evidence } = verdict;
  return { outcome, ...present({ detail, help, evidence }) };
}

/** Returns the verdict that a record has of the outside decision point. */
export function judgeRecordedOutside(outside: RequestInputs['outside']): readonly Judgement[] {
  if (outside === null) return [];
  const { outcome, detail = '', help, evidence } = outside;
  if (outcome === 'permit') return [{ ...permit('decision-point'), ...present({ evidence }) }];
  return [deny('decision-point', detail, present({ help, evidence }))];
}
