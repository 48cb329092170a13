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
 * document's name to its issuer. With `isNew`, only pairs with a new binding are compared.
 */
export function findBindingConflicts(
  bindings: readonly AgentBinding[],
  issuerOf: (name: string) => string = (name) => name,
  isNew: (binding: AgentBinding) => boolean = () => true,
): BindingConflict[] {
  return [...groups(bindings.map(compileBinding), issuerOf).values()].flatMap((group) => conflictsWithin(group, isNew));
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

function conflictsWithin(
  group: readonly CompiledBinding[],
  isNew: (binding: AgentBinding) => boolean,
): BindingConflict[] {
  const news = group.map(({ binding }) => isNew(binding));
  if (!news.includes(true)) return [];
  return group.flatMap((first, at) => {
    const conflicts: BindingConflict[] = [];
    for (let next = at + 1; next < group.length; next += 1) {
      const second = group[next];
      if (second === undefined || !(news[at] || news[next]) || !isConflict(first, second)) continue;
      conflicts.push({ first: first.binding, second: second.binding });
    }
    return conflicts;
  });
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
