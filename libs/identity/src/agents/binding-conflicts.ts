import { compileBinding, isSameTarget, type AgentBinding, type CompiledBinding } from './agent-binding.js';

/** Two bindings that one identity can satisfy and that name different agents or runtimes. */
export interface BindingConflict {
  readonly first: AgentBinding;
  readonly second: AgentBinding;
}

/**
 * Finds violations of "one identity, one agent": bindings with equal exact subjects, with overlapping patterns, or with
 * claims alone, that differ in agent or runtime and whose claims do not exclude each other. An exact subject inside a
 * pattern is no conflict, nor is a subject beside claims alone: the more exact binding wins. `issuerOf` maps a
 * document's name to its issuer.
 */
export function findBindingConflicts(
  bindings: readonly AgentBinding[],
  issuerOf: (name: string) => string = (name) => name,
): BindingConflict[] {
  return [...groups(bindings.map(compileBinding), issuerOf).values()].flatMap(conflictsWithin);
}

/**
 * Only bindings of one group can conflict: those of one issuer with the same exact subject, with a pattern, or with
 * claims alone.
 */
function groups(
  bindings: readonly CompiledBinding[],
  issuerOf: (name: string) => string,
): Map<string, CompiledBinding[]> {
  const byKey = new Map<string, CompiledBinding[]>();
  for (const compiled of bindings) {
    const key = JSON.stringify([issuerOf(compiled.binding.issuer), ...tierOf(compiled)]);
    const group = byKey.get(key);
    if (group === undefined) byKey.set(key, [compiled]);
    else group.push(compiled);
  }
  return byKey;
}

function tierOf({ pattern }: CompiledBinding): readonly string[] {
  if (pattern === undefined) return ['claims'];
  return pattern.isExact ? ['exact', pattern.text] : ['pattern'];
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
    !areToldApart(first.binding, second.binding) &&
    (first.pattern === undefined || second.pattern === undefined || first.pattern.overlaps(second.pattern))
  );
}

/** True when both bindings name a claim with different values. */
function areToldApart({ claims = {} }: AgentBinding, other: AgentBinding): boolean {
  const otherClaims = other.claims ?? {};
  return Object.entries(claims).some(
    ([name, value]) => Object.hasOwn(otherClaims, name) && otherClaims[name] !== value,
  );
}
