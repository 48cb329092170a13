import type { Json } from '@mayfly/kernel';
import type { Hole, ScopeMember } from './scope-node.js';

/** The linter's facts about a provider: its traits, and whether it needs a connection. */
export interface ProviderFact {
  readonly kind: string;
  readonly minTtlSeconds: number;
  readonly maxTtlSeconds: number;
  readonly needsConnection: boolean;
  readonly revocation?: 'immediate' | 'propagating' | 'expiry-only';
  /** the members of a scope, at any depth, that no free parameter may fill */
  readonly authoredMembers?: readonly string[];
}

/** The linter's facts about a connection. `traits` are present when they differ from its provider's. */
export interface ConnectionFact {
  readonly name: string;
  readonly provider: string;
  readonly traits?: Pick<ProviderFact, 'minTtlSeconds' | 'maxTtlSeconds' | 'revocation'>;
}

/** An objection of a connection to a rendered scope. */
export interface ScopeObjectionFact {
  readonly severity: 'error' | 'warning';
  readonly detail: string;
}

/** A provider's remark on one text of a rendered scope; `ScopeRemark` in `credentials` explains the kinds. */
export type ScopeRemarkFact = { readonly path: readonly (string | number)[] } & (
  | { readonly kind: 'narrowest' | 'below' }
  | { readonly kind: 'too-wide'; readonly detail: string }
  | { readonly kind: 'unbound'; readonly detail: string }
);

/** Port: the facts about providers and connections that the linter needs. */
export interface LintFacts {
  readonly providers: readonly ProviderFact[];
  readonly connections: readonly ConnectionFact[];
  /** Returns the provider's objection to a rendered scope, or undefined when it accepts the scope. */
  validateScope(provider: string, scope: Json): string | undefined;
  /**
   * True when the provider reserves this member for the author, beyond `authoredMembers`, because of its sibling
   * members.
   */
  isAuthored(provider: string, key: string, members: readonly ScopeMember[]): boolean;
  /** Returns what keeps the conditions of a template from being published as policies, each with its id. */
  faultsOfConditions(
    conditions: Readonly<Record<string, string>>,
  ): readonly { readonly id: string; readonly detail: string }[];
  /** Returns the providers' faults of the holes in one text, when a provider knows its grammar. */
  faultsOfText(parts: readonly (string | Hole)[]): readonly string[];
  /** True when the provider can use a credential of this scope as an agent does. The scope may have holes. */
  canUse(provider: string, scope: Json): boolean;
  /** True when a declared workload may ask whether a credential may be used, so that its uses can be counted. */
  isCounted(provider: string, connection: string | undefined): boolean;
  /** Returns the provider's remarks on texts of a rendered scope; they override the rules on wildcards. */
  readScope(provider: string, scope: Json): readonly ScopeRemarkFact[];
  /**
   * Returns the connection's objections to a rendered scope that its provider accepts, including those to names of
   * other connections in it.
   */
  inspectScope(connection: string, scope: Json): readonly ScopeObjectionFact[];
}
