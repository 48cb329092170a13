import type { Json } from '@mayfly/kernel';
import type { ScopeRemark } from './authoring.js';
import type { AnyProvider, EffectiveTraits } from './provider.js';
import type {
  Attending,
  ConnectionAware,
  Introspectable,
  Probeable,
  Reconcilable,
  Renewable,
  ResourceServer,
  ScopeObjection,
  SecretFinding,
  SharedRevocation,
} from './provider-parts.js';

/** Every optional part of the contract, with its types closed behind the provider's own schemas. */
type Parts = Partial<
  Renewable<unknown, unknown, unknown> &
    Probeable<unknown> &
    Attending<unknown> &
    ConnectionAware<unknown, unknown> &
    SharedRevocation<unknown, unknown> &
    Reconcilable<unknown> &
    SecretFinding &
    Introspectable<unknown>
>;

type Having<Part extends keyof Parts> = AnyProvider & Required<Pick<Parts, Part>>;

/** The provider as one that has these parts, or undefined when it lacks the first of them. No other file looks for a part. */
function having<Part extends keyof Parts>(
  provider: AnyProvider,
  ...[first]: readonly [Part, ...Part[]]
): Having<Part> | undefined {
  const known: AnyProvider & Parts = provider;
  return known[first] === undefined ? undefined : (known as Having<Part>);
}

export const renewable = (provider: AnyProvider) => having(provider, 'renew');
export const probeable = (provider: AnyProvider) => having(provider, 'probe');
export const attending = (provider: AnyProvider) => having(provider, 'attend');
export const examining = (provider: AnyProvider) => having(provider, 'examine');
export const reconcilable = (provider: AnyProvider) => having(provider, 'orphans');
export const sharedRevocation = (provider: AnyProvider) => having(provider, 'maintain', 'revocationPointOf');

/** What the provider knows of texts in a rendered scope. */
export function remarksOn(provider: AnyProvider, scope: Json): readonly ScopeRemark[] {
  return provider.authoring?.readScope?.(scope) ?? [];
}

/** Where the provider's own grammar shows a secret in a configuration as it was declared, as JSON Pointers. */
export function secretsIn(provider: AnyProvider, config: Json): readonly string[] {
  return having(provider, 'findSecretsIn')?.findSecretsIn(config) ?? [];
}

/** Who may introspect what is minted through a connection as it was declared; nobody where it does not fit the schema. */
export function resourceServersOf(provider: AnyProvider, declared: Json): readonly ResourceServer[] {
  const introspectable = having(provider, 'resourceServersOf');
  const config = introspectable?.schemas.config.safeParse(declared);
  return config?.success === true ? (introspectable?.resourceServersOf(config.data) ?? []) : [];
}

/** Traits for a parsed configuration and scope: the provider's own where they depend on neither. */
export function traitsOf(provider: AnyProvider, config: unknown, scope?: unknown): EffectiveTraits {
  return having(provider, 'traitsFor')?.traitsFor(config, scope) ?? provider.traits;
}

/** What a parsed configuration says against a parsed scope. */
export function objectionsTo(provider: AnyProvider, config: unknown, scope: unknown): readonly ScopeObjection[] {
  return having(provider, 'inspect')?.inspect(config, scope) ?? [];
}

/** The names of other connections that a rendered scope works with; none for a scope that the provider does not take. */
export function connectionsOf(provider: AnyProvider, scope: Json): readonly string[] {
  const related = having(provider, 'connectionsOf');
  const parsed = related?.schemas.scope.safeParse(scope);
  return parsed?.success === true ? (related?.connectionsOf(parsed.data) ?? []) : [];
}
