import type { AnyProvider } from '@mayfly/credentials';
import type { Json } from '@mayfly/kernel';
import type { LintFacts } from '@mayfly/templates';
import type { z } from 'zod';

/** What the templates' linter may know of these providers and connections. */
export function lintFactsOf(
  providers: readonly AnyProvider[],
  connections: readonly { readonly name: string; readonly spec: { readonly provider: string } }[],
): LintFacts {
  const byKind = new Map(providers.map((provider) => [provider.kind, provider]));
  return {
    providers: providers.map(({ kind, traits: { minTtlSeconds, maxTtlSeconds, revocation }, schemas }) => ({
      kind,
      minTtlSeconds,
      maxTtlSeconds,
      revocation,
      // a provider that is content with an empty configuration needs nobody to configure it
      needsConnection: !schemas.config.safeParse({}).success,
    })),
    connections: connections.map(({ name, spec }) => ({ name, provider: spec.provider })),
    validateScope: (kind, scope) => firstFault(byKind.get(kind)?.schemas.scope, scope),
  };
}

/** The first thing that a provider's schema says against a value, with its place; undefined when it takes it. */
export function firstFault(schema: z.ZodType | undefined, value: Json): string | undefined {
  const issue = schema?.safeParse(value).error?.issues[0];
  if (issue === undefined) return undefined;
  const message = issue.message.charAt(0).toLowerCase() + issue.message.slice(1).replaceAll('"', '`');
  return issue.path.length === 0 ? message : `${issue.path.map(String).join('.')}: ${message}`;
}
