import { agentRefused } from '../identity-refusal.js';
import type { VerifiedIdentity } from '../verified-identity.js';
import {
  claimsSatisfy,
  compileBinding,
  exactKey,
  isSameTarget,
  type AgentBinding,
  type CompiledBinding,
} from './agent-binding.js';

/** All bindings, arranged so that an exact subject is one look-up and patterns are tried per issuer. */
export class BindingIndex {
  private readonly exact = new Map<string, AgentBinding[]>();
  private readonly patterns = new Map<string, CompiledBinding[]>();

  constructor(bindings: readonly AgentBinding[]) {
    for (const compiled of bindings.map(compileBinding)) {
      const { binding, pattern } = compiled;
      if (pattern.isExact) append(this.exact, exactKey(binding.issuer, pattern.text), binding);
      else append(this.patterns, binding.issuer, compiled);
    }
  }

  /**
   * The one agent and runtime that this identity stands for. An exact subject beats a pattern.
   * Throws `forbidden` when there is none (`no_agent`; people never have one) or more than one (`ambiguous_agent`).
   */
  bind(identity: VerifiedIdentity): AgentBinding {
    const match = this.find(identity);
    if (match === undefined) throw agentRefused('no_agent', identity);
    return match;
  }

  /** The same, or undefined where there is none. Throws `forbidden` for more than one (`ambiguous_agent`). */
  find(identity: VerifiedIdentity): AgentBinding | undefined {
    if (identity.kind === 'person') return undefined;
    const exact = this.exactMatches(identity);
    const [match, ...others] = exact.length > 0 ? exact : this.patternMatches(identity);
    if (match !== undefined && others.some((other) => !isSameTarget(match, other)))
      throw agentRefused('ambiguous_agent', identity);
    return match;
  }

  private exactMatches(identity: VerifiedIdentity): AgentBinding[] {
    const bindings = this.exact.get(exactKey(identity.issuer, identity.subject)) ?? [];
    return bindings.filter((binding) => claimsSatisfy(binding, identity));
  }

  private patternMatches(identity: VerifiedIdentity): AgentBinding[] {
    return (this.patterns.get(identity.issuer) ?? [])
      .filter(({ pattern, binding }) => pattern.matches(identity.subject) && claimsSatisfy(binding, identity))
      .map(({ binding }) => binding);
  }
}

/** `BindingIndex.bind` for a single question; keep an index to ask more. */
export function bindIdentity(identity: VerifiedIdentity, bindings: readonly AgentBinding[]): AgentBinding {
  return new BindingIndex(bindings).bind(identity);
}

function append<Value>(lists: Map<string, Value[]>, key: string, value: Value): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
