import type { TaskId } from '@mayfly/kernel';
import type { JudgedDelegation } from '../delegations/judge-delegation.js';
import type { Requester } from '../request.js';
import type { DelegateInputs } from './decision-inputs.js';
import type { FactSet } from './declared-facts.js';
import { askedInputs, commonInputs, heldInputs } from './request-inputs.js';

/** Returns the inputs of a decision on a delegation, but for what its commit found. */
export function delegateInputs(
  requester: Requester,
  {
    at,
    parent,
    ancestors,
    asked,
    acceptorIsKnown,
    template,
  }: Omit<JudgedDelegation, 'targets' | 'policies' | 'requester'>,
  facts: FactSet,
  parentId: TaskId,
  purpose: string,
): Omit<DelegateInputs, 'commit'> {
  return {
    ...commonInputs(requester, { at, facts, ...(template === undefined ? {} : { template }) }),
    request: { ...askedInputs({ ...asked, purpose }), agent: asked.agent },
    acceptorIsKnown,
    parent: {
      ...{ id: parentId, agent: parent.agent, template: parent.template, runs: parent.runs },
      ...{ lockdown: parent.lockdownId ?? null, expiresAt: parent.expiresAt.toISOString() },
      held: heldInputs(parent.held),
    },
    ancestors: ancestors.map(({ agent, template: name, rule }) => ({
      ...{ agent, template: name },
      rule: rule === undefined ? null : { ...rule, templates: [...rule.templates] },
    })),
  };
}
