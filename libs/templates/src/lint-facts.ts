import type { Json } from '@mayfly/kernel';

/** What the linter may know of a provider: its traits, and whether it works through a connection. */
export interface ProviderFact {
  readonly kind: string;
  readonly minTtlSeconds: number;
  readonly maxTtlSeconds: number;
  readonly needsConnection: boolean;
  readonly revocation?: 'immediate' | 'propagating' | 'expiry-only';
}

/** The world that a template is to fit into. */
export interface LintFacts {
  readonly providers: readonly ProviderFact[];
  readonly connections: readonly { readonly name: string; readonly provider: string }[];
  /** What this provider says against a rendered scope, or undefined when it takes it. */
  validateScope(provider: string, scope: Json): string | undefined;
}
