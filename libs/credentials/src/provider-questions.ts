import type { ClockReading, Json, JsonObject } from '@mayfly/kernel';
import type { ScopeRemark } from './authoring.js';
import { parseValue } from './parse-value.js';
import type { AnyProvider, EffectiveTraits } from './provider.js';
import type {
  Attending,
  Attenuable,
  ClockReporting,
  ConnectionAware,
  Enumerable,
  Introspectable,
  OperationJudging,
  Probeable,
  Reconcilable,
  Renewable,
  ResourceServer,
  ScopeObjection,
  SecretFinding,
  SharedRevocation,
  Usable,
} from './provider-parts.js';

/** Every optional part of the contract. The provider's own schemas check the types. */
type Parts = Partial<
  Renewable<unknown, unknown, unknown> &
    Probeable<unknown> &
    Attending<unknown> &
    ClockReporting<unknown> &
    Attenuable<unknown> &
    ConnectionAware<unknown, unknown> &
    SharedRevocation<unknown, unknown> &
    Reconcilable<unknown> &
    Enumerable<unknown> &
    SecretFinding &
    Usable<unknown, unknown> &
    Introspectable<unknown> &
    OperationJudging<unknown>
>;

type Having<Part extends keyof Parts> = AnyProvider & Required<Pick<Parts, Part>>;

/**
 * Returns the provider typed with these parts, or undefined when it lacks the first one. Only this file tests for
 * parts.
 */
function having<Part extends keyof Parts>(
  provider: AnyProvider,
  ...[first]: readonly [Part, ...Part[]]
): Having<Part> | undefined {
  const known: AnyProvider & Parts = provider;
  return known[first] === undefined ? undefined : (known as Having<Part>);
}

export const attenuable = (provider: AnyProvider) => having(provider, 'isWithin');
export const renewable = (provider: AnyProvider) => having(provider, 'renew');
export const probeable = (provider: AnyProvider) => having(provider, 'probe');
export const attending = (provider: AnyProvider) => having(provider, 'attend');
export const examining = (provider: AnyProvider) => having(provider, 'examine');
export const reconcilable = (provider: AnyProvider) => having(provider, 'orphans');
export const enumerable = (provider: AnyProvider) => having(provider, 'objects', 'endObject');
export const usable = (provider: AnyProvider) => having(provider, 'use', 'canUse', 'materialOf');
export const sharedRevocation = (provider: AnyProvider) =>
  having(provider, 'maintain', 'revocationPointOf', 'revocationPointsIn');

/** Returns the latest reading of the target's clock; undefined when the provider has none. */
export function clockAt(provider: AnyProvider, config: unknown): ClockReading | undefined {
  return having(provider, 'clockAt')?.clockAt(config);
}

/** Returns the provider's remarks on texts in a rendered scope. */
export function remarksOn(provider: AnyProvider, scope: Json): readonly ScopeRemark[] {
  return provider.authoring?.readScope?.(scope) ?? [];
}

/** True when the provider can use a credential of this scope as an agent does. */
export function canUse(provider: AnyProvider, scope: Json): boolean {
  if (typeof scope !== 'object' || scope === null || Array.isArray(scope)) return false;
  return usable(provider)?.canUse(scope as JsonObject) === true;
}

/** Returns JSON Pointers to the secrets that only the provider's grammar reveals in a declared configuration. */
export function secretsIn(provider: AnyProvider, config: Json): readonly string[] {
  return having(provider, 'findSecretsIn')?.findSecretsIn(config) ?? [];
}

/**
 * Returns the workloads that may introspect tokens minted through a declared connection; none when its configuration
 * does not fit the schema.
 */
export function resourceServersOf(provider: AnyProvider, declared: Json): readonly ResourceServer[] {
  const introspectable = having(provider, 'resourceServersOf');
  const config = introspectable && parseValue(introspectable.schemas.config, declared);
  return config?.success === true ? (introspectable?.resourceServersOf(config.data) ?? []) : [];
}

/** Returns the audience of the tokens minted through a declared connection; undefined for one without. */
export function audienceFor(provider: AnyProvider, declared: Json): string | undefined {
  const introspectable = having(provider, 'audienceFor');
  const config = introspectable && parseValue(introspectable.schemas.config, declared);
  return config?.success === true ? introspectable?.audienceFor(config.data) : undefined;
}

/** The audience of a rendered scope, and the operations that it allows. */
export interface JudgedScope {
  readonly audience: string;
  allows(operation: string, target: string): boolean;
}

/** Returns what a rendered scope says about operations; undefined when its provider judges none, or no longer accepts the scope. */
export function judgedScope(provider: AnyProvider, scope: Json): JudgedScope | undefined {
  const judging = having(provider, 'allowsOperation', 'audienceOf');
  const parsed = judging && parseValue(judging.schemas.scope, scope);
  if (judging === undefined || parsed?.success !== true) return undefined;
  const { data } = parsed;
  return {
    audience: judging.audienceOf(data),
    allows: (operation, target) => judging.allowsOperation(data, operation, target),
  };
}

/** Returns the traits for a parsed configuration and scope, or the provider's own when they depend on neither. */
export function traitsOf(provider: AnyProvider, config: unknown, scope?: unknown): EffectiveTraits {
  return having(provider, 'traitsFor')?.traitsFor(config, scope) ?? provider.traits;
}

/** Returns the reasons why a connection with this parsed configuration cannot serve the parsed scope. */
export function objectionsTo(provider: AnyProvider, config: unknown, scope: unknown): readonly ScopeObjection[] {
  return having(provider, 'inspect')?.inspect(config, scope) ?? [];
}

/**
 * Returns the names of other connections that a rendered scope uses; none when the scope does not fit the provider's
 * schema.
 */
export function connectionsOf(provider: AnyProvider, scope: Json): readonly string[] {
  const related = having(provider, 'connectionsOf');
  const parsed = related && parseValue(related.schemas.scope, scope);
  return parsed?.success === true ? (related?.connectionsOf(parsed.data) ?? []) : [];
}
