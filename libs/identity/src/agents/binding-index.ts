import { agentRefused, personIsAgent } from '../identity-refusal.js';
import type { VerifiedIdentity } from '../verified-identity.js';
import {
  claimsSatisfy,
  compileBinding,
  exactKey,
  isSameTarget,
  type AgentBinding,
  type CompiledBinding,
} from './agent-binding.js';

/** All bindings, arranged so that an exact subject is one look-up; patterns, and claims alone, are tried per issuer. */
export class BindingIndex {
  private readonly exact = new Map<string, AgentBinding[]>();
  private readonly patterns = new Map<string, CompiledBinding[]>();
  private readonly claimsAlone = new Map<string, AgentBinding[]>();

  constructor(bindings: readonly AgentBinding[]) {
    for (const compiled of bindings.map(compileBinding)) {
      const { binding, pattern } = compiled;
      if (pattern === undefined) append(this.claimsAlone, binding.issuer, binding);
      else if (pattern.isExact) append(this.exact, exactKey(binding.issuer, pattern.text), binding);
      else append(this.patterns, binding.issuer, compiled);
    }
  }

  /**
   * The one agent and runtime that this identity stands for. An exact subject beats a pattern, which beats claims alone.
   * Throws `unauthenticated` when there is none (`no_agent`), more than one (`ambiguous_agent`), or an identity with a
   * role is bound too (`person_and_agent`).
   */
  bind(identity: VerifiedIdentity): AgentBinding {
    const match = this.find(identity);
    if (match === undefined) throw agentRefused('no_agent');
    return match;
  }

  /** The same, or undefined where there is none. Throws `unauthenticated` (`ambiguous_agent`, `person_and_agent`). */
  find(identity: VerifiedIdentity): AgentBinding | undefined {
    if (identity.fitsRole) return this.refuseAgent(identity);
    const [match, ...others] = this.bestMatches(identity, identity.acceptedBy);
    if (match !== undefined && others.some((other) => !isSameTarget(match, other)))
      throw agentRefused('ambiguous_agent');
    return match;
  }

  /** Nobody is a person with one token and an agent with another, so all documents of the issuer are looked at. */
  private refuseAgent(identity: VerifiedIdentity): undefined {
    const [match] = this.bestMatches(identity, identity.issuerNames);
    if (match !== undefined) throw personIsAgent(match.agent);
  }

  private bestMatches(identity: VerifiedIdentity, issuers: readonly string[]): AgentBinding[] {
    for (const tier of [this.exactMatches, this.patternMatches, this.claimMatches]) {
      const matches = issuers
        .flatMap((issuer) => tier.call(this, issuer, identity.subject))
        .filter((binding) => claimsSatisfy(binding, identity));
      if (matches.length > 0) return matches;
    }
    return [];
  }

  private exactMatches(issuer: string, subject: string): readonly AgentBinding[] {
    return this.exact.get(exactKey(issuer, subject)) ?? [];
  }

  private patternMatches(issuer: string, subject: string): readonly AgentBinding[] {
    const patterns = this.patterns.get(issuer) ?? [];
    return patterns.filter(({ pattern }) => pattern?.matches(subject) === true).map(({ binding }) => binding);
  }

  private claimMatches(issuer: string): readonly AgentBinding[] {
    return this.claimsAlone.get(issuer) ?? [];
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
