import type { ClaimValue } from '../profiles/profile.js';
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

/** All bindings, indexed: an exact subject or a claim takes one look-up; patterns are tried per issuer. */
export class BindingIndex {
  private readonly exact = new Map<string, AgentBinding[]>();
  private readonly patterns = new Map<string, CompiledBinding[]>();
  /** bindings with claims alone, by their first claim */
  private readonly claimsAlone = new Map<string, AgentBinding[]>();
  /** the first claims of those bindings, by issuer */
  private readonly firstClaims = new Map<string, Set<string>>();

  constructor(private readonly bindings: readonly AgentBinding[]) {
    for (const compiled of bindings.map(compileBinding)) {
      const { binding, pattern } = compiled;
      if (pattern === undefined) this.addClaimsAlone(binding);
      else if (pattern.isExact) append(this.exact, exactKey(binding.issuer, pattern.text), binding);
      else append(this.patterns, binding.issuer, compiled);
    }
  }

  /**
   * Returns the one agent and runtime of this identity. An exact subject beats a pattern, and a pattern beats claims
   * alone. Throws `forbidden` when no agent is bound (`no_agent`), several are bound (`ambiguous_agent`), or one is
   * bound to an identity with a role (`person_and_agent`).
   */
  bind(identity: VerifiedIdentity): AgentBinding {
    const match = this.find(identity);
    if (match === undefined) throw agentRefused('no_agent', identity);
    return match;
  }

  /**
   * Returns the same as `bind`, or undefined without a binding. Throws `forbidden` (`ambiguous_agent`,
   * `person_and_agent`).
   */
  find(identity: VerifiedIdentity): AgentBinding | undefined {
    if (identity.fitsRole) {
      this.refuseAgent(identity);
      return undefined;
    }
    const [match, ...others] = this.bestMatches(identity, identity.acceptedBy);
    if (match !== undefined && others.some((other) => !isSameTarget(match, other)))
      throw agentRefused('ambiguous_agent', identity);
    return match;
  }

  /** Returns a bound claim that the identity has with the same text but another type: `"42"` is not `42`. */
  claimOfOtherType({
    acceptedBy,
    claims,
  }: VerifiedIdentity): { readonly agent: string; readonly claim: string } | undefined {
    for (const { agent, claims: bound = {} } of this.bindings.filter((one) => acceptedBy.includes(one.issuer))) {
      const claim = Object.keys(bound).find(
        (name) =>
          Object.hasOwn(claims, name) && claims[name] !== bound[name] && String(claims[name]) === String(bound[name]),
      );
      if (claim !== undefined) return { agent, claim };
    }
    return undefined;
  }

  /**
   * Throws `person_and_agent` when an identity with a role is also bound to an agent. Looks at the bindings of all
   * documents of the issuer, whatever the audience of the token.
   */
  private refuseAgent(identity: VerifiedIdentity): void {
    const [match] = this.bestMatches(identity, identity.issuerNames);
    if (match !== undefined) throw personIsAgent(match.agent, identity);
  }

  private bestMatches(identity: VerifiedIdentity, issuers: readonly string[]): AgentBinding[] {
    const satisfied = (candidates: (issuer: string) => readonly AgentBinding[]): AgentBinding[] =>
      issuers.flatMap(candidates).filter((binding) => claimsSatisfy(binding, identity));
    const exact = satisfied((issuer) => this.exact.get(exactKey(issuer, identity.subject)) ?? []);
    if (exact.length > 0) return exact;
    const patterns = satisfied((issuer) => this.patternMatches(issuer, identity));
    return patterns.length > 0 ? patterns : satisfied((issuer) => this.claimMatches(issuer, identity));
  }

  private patternMatches(issuer: string, { subject }: VerifiedIdentity): readonly AgentBinding[] {
    const patterns = this.patterns.get(issuer) ?? [];
    return patterns.filter(({ pattern }) => pattern?.matches(subject) === true).map(({ binding }) => binding);
  }

  private claimMatches(issuer: string, { claims }: VerifiedIdentity): readonly AgentBinding[] {
    const names = [...(this.firstClaims.get(issuer) ?? [])].filter((name) => Object.hasOwn(claims, name));
    return names.flatMap((name) => this.claimsAlone.get(claimKey(issuer, name, claims[name])) ?? []);
  }

  private addClaimsAlone(binding: AgentBinding): void {
    const [first] = Object.entries(binding.claims ?? {});
    if (first === undefined) return;
    const [name, value] = first;
    append(this.claimsAlone, claimKey(binding.issuer, name, value), binding);
    const names = this.firstClaims.get(binding.issuer);
    if (names === undefined) this.firstClaims.set(binding.issuer, new Set([name]));
    else names.add(name);
  }
}

function claimKey(issuer: string, name: string, value: ClaimValue | undefined): string {
  return JSON.stringify([issuer, name, value]);
}

/** `BindingIndex.bind` for one call; keep an index for more. */
export function bindIdentity(identity: VerifiedIdentity, bindings: readonly AgentBinding[]): AgentBinding {
  return new BindingIndex(bindings).bind(identity);
}

function append<Value>(lists: Map<string, Value[]>, key: string, value: Value): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
