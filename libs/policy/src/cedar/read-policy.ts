import type * as CedarModule from '@cedar-policy/cedar-wasm/nodejs';
import { type Obligations, readAnnotations } from './obligations.js';
import { faultAt, type PolicyFault } from './policy-fault.js';
import { POLICY_ACTIONS, type PolicyAction } from './policy-schema.js';

/** The parts of a policy that Mayfly itself reads. Answers of Cedar name ids only. */
export interface ReadPolicy {
  readonly id: string;
  readonly text: string;
  readonly effect: 'permit' | 'forbid';
  /** the actions that its scope names */
  readonly actions: ReadonlySet<PolicyAction>;
  /** the one template that its scope names, or undefined for all */
  readonly template?: string;
  readonly obligations: Obligations;
  readonly reason?: string;
  readonly faults: readonly PolicyFault[];
}

/** Reads effect, scope and annotations from the JSON form of a policy. */
export function readPolicy(id: string, text: string, json: CedarModule.PolicyJson): ReadPolicy {
  const { effect, action, resource } = json;
  const annotations = readAnnotations(effect, json.annotations ?? {});
  const actions = actionsOf(action);
  const faults = annotations.faults.map(({ name, detail }) => faultAt(id, text, placeOf(text, name), detail));
  const isObliging = Object.keys(annotations.obligations).length > 0;
  if (isObliging && !actions.has('request') && !actions.has('renew'))
    faults.push(faultAt(id, text, 0, 'an obligation has an effect for `request` and `renew` only; name one of them'));
  const template = templateOf(resource);
  return {
    ...{ id, text, effect, actions, obligations: annotations.obligations, faults },
    ...(template === undefined ? {} : { template }),
    ...(annotations.reason === undefined ? {} : { reason: annotations.reason }),
  };
}

function placeOf(text: string, annotation: string): number {
  return Math.max(0, text.indexOf(`@${annotation}`));
}

function actionsOf(constraint: CedarModule.ActionConstraint): ReadonlySet<PolicyAction> {
  if (constraint.op === 'All') return new Set(POLICY_ACTIONS);
  const named = 'entities' in constraint ? constraint.entities : 'entity' in constraint ? [constraint.entity] : [];
  const ids = new Set(named.map((entity) => uidOf(entity).id));
  return new Set(POLICY_ACTIONS.filter((action) => ids.has(action)));
}

function templateOf(constraint: CedarModule.ResourceConstraint): string | undefined {
  if (constraint.op === 'All') return undefined;
  const within = constraint.op === 'is' ? constraint.in : constraint;
  if (within === undefined || !('entity' in within)) return undefined;
  const { type, id } = uidOf(within.entity);
  return type === 'Template' ? id : undefined;
}

function uidOf(entity: CedarModule.EntityUidJson): CedarModule.TypeAndId {
  return '__entity' in entity ? entity.__entity : entity;
}
