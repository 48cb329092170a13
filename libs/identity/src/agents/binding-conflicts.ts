import { compileBinding, isSameTarget, type AgentBinding, type CompiledBinding } from './agent-binding.js';

/** Two bindings that some one identity satisfies, leading to different agents or runtimes. */
export interface BindingConflict {
  readonly first: AgentBinding;
  readonly second: AgentBinding;
}

/**
 * Where "one identity, one agent" is broken: equal exact subjects, or overlapping patterns, that differ in agent or
 * runtime and whose claims do not tell them apart. An exact subject within a pattern is none: exact wins.
 */
export function findBindingConflicts(bindings: readonly AgentBinding[]): BindingConflict[] {
  return [...groups(bindings.map(compileBinding)).values()].flatMap(conflictsWithin);
}

/** Only bindings in one group can conflict: the same exact subject, or the patterns of one issuer. */
function groups(bindings: readonly CompiledBinding[]): Map<string, CompiledBinding[]> {
  const byKey = new Map<string, CompiledBinding[]>();
  for (const compiled of bindings) {
    const { binding, pattern } = compiled;
    const key = `${binding.issuer} ${pattern.isExact ? pattern.text : '*'}`;
    byKey.set(key, [...(byKey.get(key) ?? []), compiled]);
  }
  return byKey;
}

function conflictsWithin(group: readonly CompiledBinding[]): BindingConflict[] {
  return group.flatMap((first, at) =>
    group
      .slice(at + 1)
      .filter((second) => isConflict(first, second))
      .map((second) => ({ first: first.binding, second: second.binding })),
  );
}

function isConflict(first: CompiledBinding, second: CompiledBinding): boolean {
  return (
    !isSameTarget(first.binding, second.binding) &&
    first.pattern.overlaps(second.pattern) &&
    !areToldApart(first.binding, second.binding)
  );
}

/** Whether some claim must have two different values at once. */
function areToldApart({ claims = {} }: AgentBinding, other: AgentBinding): boolean {
  const otherClaims = other.claims ?? {};
  return Object.entries(claims).some(
    ([name, value]) => Object.hasOwn(otherClaims, name) && otherClaims[name] !== value,
  );
}
