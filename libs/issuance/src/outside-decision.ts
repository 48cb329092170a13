import { addSeconds, type JsonObject } from '@mayfly/kernel';
import type { DecisionPoint, DecisionQuestion } from '@mayfly/policy';
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
  return decision.permitted ? { ...permitted, decision } : { permitted: false, decision };
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
