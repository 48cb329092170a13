import {
  canUse,
  connectionsOf,
  faultText,
  objectionsTo,
  remarksOn,
  resourceServersOf,
  schemaFault,
  traitsOf,
  type AnyProvider,
  type ConnectionSpec,
  type ScopeObjection,
} from '@mayfly/credentials';
import type { Json } from '@mayfly/kernel';
import type { LintFacts } from '@mayfly/templates';
import type { z } from 'zod';
import { findConditionFaults, type PolicyCheck } from './policies/policy-faults.js';

/** Returns the facts of these providers and connections that the template linter needs. `policies` judges conditions. */
export function lintFactsOf(
  providers: readonly AnyProvider[],
  connections: readonly DeclaredConnection[],
  policies?: PolicyCheck,
): LintFacts {
  const byKind = new Map(providers.map((provider) => [provider.kind, provider]));
  return {
    providers: providers.map(({ kind, traits: { minTtlSeconds, maxTtlSeconds, revocation }, schemas, authoring }) => ({
      kind,
      minTtlSeconds,
      maxTtlSeconds,
      revocation,
      authoredMembers: authoring?.authoredMembers ?? [],
      // a provider that accepts an empty configuration needs no connection
      needsConnection: !schemas.config.safeParse({}).success,
    })),
    connections: connections.map(({ name, spec }) => ({
      name,
      provider: spec.provider,
      ...effectiveTraits(byKind.get(spec.provider), spec.config),
    })),
    canUse: (kind, scope) => {
      const provider = byKind.get(kind);
      return provider !== undefined && canUse(provider, scope);
    },
    isCounted: (kind, name) => isCounted(byKind.get(kind), connections, kind, name),
    validateScope: (kind, scope) => firstFault(byKind.get(kind)?.schemas.scope, scope),
    isAuthored: (kind, key, members) => byKind.get(kind)?.authoring?.isAuthored?.(key, members) ?? false,
    faultsOfText: (parts) => providers.flatMap(({ authoring }) => authoring?.faultsOfText?.(parts) ?? []),
    readScope: (kind, scope) => {
      const provider = byKind.get(kind);
      return provider === undefined ? [] : remarksOn(provider, scope);
    },
    faultsOfConditions: (conditions) => findConditionFaults(conditions, policies),
    inspectScope: (name, scope) => {
      const connection = connections.find((declared) => declared.name === name);
      const provider = connection === undefined ? undefined : byKind.get(connection.spec.provider);
      return connection === undefined || provider === undefined
        ? []
        : objections(provider, connection, scope, connections);
    },
  };
}

interface DeclaredConnection {
  readonly name: string;
  readonly spec: Pick<ConnectionSpec, 'provider' | 'gateways'> & { readonly config: Json };
}

function effectiveTraits(
  provider: AnyProvider | undefined,
  declared: Json,
): Pick<LintFacts['connections'][number], 'traits'> {
  const config = provider?.schemas.config.safeParse(declared);
  if (provider === undefined || config?.success !== true) return {};
  const { minTtlSeconds, maxTtlSeconds, revocation } = traitsOf(provider, config.data);
  return { traits: { minTtlSeconds, maxTtlSeconds, revocation } };
}

/**
 * Returns the connection's objections, and an error for each connection that the scope names and that does not exist.
 */
function objections(
  provider: AnyProvider,
  connection: DeclaredConnection,
  scope: Json,
  connections: readonly DeclaredConnection[],
): readonly ScopeObjection[] {
  const config = provider.schemas.config.safeParse(connection.spec.config);
  const parsed = provider.schemas.scope.safeParse(scope);
  if (!config.success || !parsed.success) return [];
  const missing = connectionsOf(provider, scope)
    .filter((name) => !connections.some((declared) => declared.name === name))
    .map((name) => ({ severity: 'error' as const, detail: `there is no connection \`${name}\`` }));
  return [...missing, ...objectionsTo(provider, config.data, parsed.data)];
}

/** Returns the first fault that a provider's schema finds in a value, with its path, or undefined. */
function firstFault(schema: z.ZodType | undefined, value: Json): string | undefined {
  const fault = schema === undefined ? undefined : schemaFault(schema, value);
  return fault === undefined ? undefined : faultText(fault);
}

/** True when a workload may ask about the credentials of a connection, or of a provider without one. */
function isCounted(
  provider: AnyProvider | undefined,
  connections: readonly DeclaredConnection[],
  kind: string,
  name: string | undefined,
): boolean {
  // A token without a connection is introspected by the resource servers that any connection declares for its audience.
  const own = connections.filter((declared) =>
    name === undefined ? declared.spec.provider === kind : declared.name === name,
  );
  return own.some(
    ({ spec }) =>
      (name !== undefined && (spec.gateways ?? []).length > 0) ||
      (provider !== undefined && resourceServersOf(provider, spec.config).length > 0),
  );
}
