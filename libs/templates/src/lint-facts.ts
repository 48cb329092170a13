import type { Json } from '@mayfly/kernel';
import type { Hole, ScopeMember } from './scope-node.js';

/** What the linter may know of a provider: its traits, and whether it works through a connection. */
export interface ProviderFact {
  readonly kind: string;
  readonly minTtlSeconds: number;
  readonly maxTtlSeconds: number;
  readonly needsConnection: boolean;
  readonly revocation?: 'immediate' | 'propagating' | 'expiry-only';
  /** members of a scope, at any depth, that no free parameter may fill */
  readonly authoredMembers?: readonly string[];
}

/** What the linter may know of a connection. `traits` are given where they are not those of its provider. */
export interface ConnectionFact {
  readonly name: string;
  readonly provider: string;
  readonly traits?: Pick<ProviderFact, 'minTtlSeconds' | 'maxTtlSeconds' | 'revocation'>;
}

/** What a connection says against a rendered scope. */
export interface ScopeObjectionFact {
  readonly severity: 'error' | 'warning';
  readonly detail: string;
}

/** What a provider says of one text of a rendered scope; `ScopeRemark` of the room `credentials` explains the kinds. */
export interface ScopeRemarkFact {
  readonly path: readonly (string | number)[];
  readonly kind: 'narrowest' | 'below' | 'too-wide' | 'unbound';
  readonly detail?: string;
}

/** The world that a template is to fit into. */
export interface LintFacts {
  readonly providers: readonly ProviderFact[];
  readonly connections: readonly ConnectionFact[];
  /** What this provider says against a rendered scope, or undefined when it takes it. */
  validateScope(provider: string, scope: Json): string | undefined;
  /** Whether this provider wants a member to be the author's besides `authoredMembers`, for what stands beside it. */
  isAuthored(provider: string, key: string, members: readonly ScopeMember[]): boolean;
  /** What providers find wrong with the holes of one text, whose grammar one of them knows. */
  faultsOfText(parts: readonly (string | Hole)[]): readonly string[];
  /** What this provider knows of texts in a rendered scope; it goes before the rules on wildcards. */
  readScope(provider: string, scope: Json): readonly ScopeRemarkFact[];
  /** What this connection says against a rendered scope that its provider takes; names in it of other connections included. */
  inspectScope(connection: string, scope: Json): readonly ScopeObjectionFact[];
}
