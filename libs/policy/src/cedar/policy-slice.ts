import { digestOf } from '@mayfly/kernel';
import type { PolicyAction } from './policy-schema.js';
import type { PolicySet } from './policy-set.js';
import type { ReadPolicy } from './read-policy.js';

/** One author of policies: a document, or the conditions of a template. Nobody can widen what another one permits. */
export interface PolicySource {
  /** `Policy/name`, or `TaskTemplate/name` */
  readonly title: string;
  readonly policies: readonly ReadPolicy[];
}

/** The policies that decide on one template, with what Mayfly reads of them. */
export interface PolicySlice extends PolicySet {
  readonly byId: ReadonlyMap<string, ReadPolicy>;
  readonly sources: readonly PolicySource[];
}

/**
 * Permits everything that nothing forbids. The policies of Mayfly narrow what its other controls grant, so a set of
 * forbids alone must not deny everything, as it would in Cedar.
 */
const DEFAULT_PERMIT = { id: 'mayfly', text: 'permit(principal, action, resource);' };

/** Returns the id of a policy in a set: its author and its own id. */
export function policyIdOf(title: string, id: string): string {
  return `${title}/${id}`;
}

/** Returns the slice of a template: the policies whose scope names no other template. */
export function sliceOf(template: string, all: readonly PolicySource[]): PolicySlice {
  const sources = all
    .map(({ title, policies }) => ({ title, policies: policies.filter((one) => appliesTo(template, one)) }))
    .filter(({ policies }) => policies.length > 0);
  const policies = sources.flatMap((source) => source.policies);
  const texts = Object.fromEntries(policies.map(({ id, text }) => [id, text]));
  return {
    ...{ sources, byId: new Map(policies.map((policy) => [policy.id, policy])) },
    texts: { ...texts, [DEFAULT_PERMIT.id]: DEFAULT_PERMIT.text },
    digest: digestOf(texts),
  };
}

function appliesTo(template: string, policy: ReadPolicy): boolean {
  return policy.template === undefined || policy.template === template;
}

/** Returns the permits of one author that are an allow-list for an action: one of them has to match. */
export function allowListOf({ policies }: PolicySource, action: PolicyAction): readonly ReadPolicy[] {
  return policies.filter(({ effect, actions }) => effect === 'permit' && actions.has(action));
}
