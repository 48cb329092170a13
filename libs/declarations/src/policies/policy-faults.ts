import type { FieldError } from '@mayfly/kernel';
import { faultWords, MAX_POLICIES, type PolicyEngine, policyIdOf, type PolicyTexts } from '@mayfly/policy';
import { ofKind, type Declaration, type DeclarationOf } from '../document.schema.js';

/** The part of the policy engine that judges policies before they are published. */
export type PolicyCheck = Pick<PolicyEngine, 'check' | 'read'>;

const UNCHECKED = 'policies cannot be checked here; declare it at a broker';
const TOO_MANY = `with the policies of the others, a template would have over ${String(MAX_POLICIES)}; name templates in the scopes of policies, or use fewer`;

/** Returns the faults of a `Policy` document, relative to its spec. INVARIANT: I7, an unchecked policy is refused. */
export function findPolicyFaults(
  { policies }: DeclarationOf<'Policy'>['spec'],
  engine: PolicyCheck | undefined,
): FieldError[] {
  return faultsOfTexts(policies, engine).map(({ id, detail }) => ({ pointer: `/policies/${id}`, detail }));
}

/** Returns the faults of a template's conditions, each with its id. */
export function findConditionFaults(
  conditions: PolicyTexts,
  engine: PolicyCheck | undefined,
): readonly { readonly id: string; readonly detail: string }[] {
  const faults = faultsOfTexts(conditions, engine);
  if (engine === undefined || faults.length > 0) return faults;
  return Object.entries(conditions).flatMap(([id, text]) =>
    engine.read(id, text).template === undefined
      ? []
      : [{ id, detail: 'conditions hold for their own template; name no template in the scope' }],
  );
}

function faultsOfTexts(texts: PolicyTexts, engine: PolicyCheck | undefined) {
  if (engine === undefined) return Object.keys(texts).map((id) => ({ id, detail: UNCHECKED }));
  return engine.check(texts).map((fault) => ({ id: fault.id, detail: faultWords(fault) }));
}

/**
 * Returns the changed documents with which some template would have more policies than one set may have: a set beyond the
 * bound denies everything. `all` is the whole future state.
 */
export function findFullSlices(
  all: readonly Declaration[],
  changed: readonly Declaration[],
  engine: PolicyCheck | undefined,
): readonly { readonly declared: Declaration; readonly error: FieldError }[] {
  const differing = changed.filter((declared) => textsOf(declared) !== undefined);
  if (engine === undefined || differing.length === 0) return [];
  const counts = countSlices(all, engine);
  const most = Math.max(counts.general, ...counts.byTemplate.values());
  if (most <= MAX_POLICIES) return [];
  return differing.map((declared) => ({
    declared,
    error: { pointer: declared.kind === 'Policy' ? '/policies' : '/conditions', detail: TOO_MANY },
  }));
}

/** Counts the policies of each template that has some of its own, and of any other. */
function countSlices(all: readonly Declaration[], engine: PolicyCheck) {
  const scopes = ofKind('Policy', all).flatMap(({ metadata, spec }) =>
    Object.entries(spec.policies).map(([id, text]) => templateOf(engine, policyIdOf(metadata.name, id), text)),
  );
  const general = scopes.filter((template) => template === undefined).length;
  const byTemplate = new Map<string, number>();
  const add = (template: string, count: number): void => {
    byTemplate.set(template, (byTemplate.get(template) ?? general) + count);
  };
  for (const template of scopes) if (template !== undefined) add(template, 1);
  for (const { metadata, spec } of ofKind('TaskTemplate', all))
    add(metadata.name, Object.keys(spec.conditions ?? {}).length);
  return { general, byTemplate };
}

/** A stored policy that does not parse any more counts for every template. */
function templateOf(engine: PolicyCheck, id: string, text: string): string | undefined {
  try {
    return engine.read(id, text).template;
  } catch {
    return undefined;
  }
}

function textsOf(declared: Declaration): PolicyTexts | undefined {
  if (declared.kind === 'Policy') return declared.spec.policies;
  return declared.kind === 'TaskTemplate' ? declared.spec.conditions : undefined;
}
