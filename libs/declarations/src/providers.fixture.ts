import type { AnyProvider, ProviderTraits } from '@mayfly/credentials';
import { z } from 'zod';

/** A provider with schemas and traits only; it cannot mint. */
function provider(kind: string, schemas: object, traits: Partial<ProviderTraits> = {}): AnyProvider {
  const bounds = { revocation: 'immediate', minTtlSeconds: 1, maxTtlSeconds: 43_200, remote: true, ...traits };
  const secretMembers = ['/url'];
  const findSecretsIn = ({ url }: { readonly url?: string }) => (url?.includes('pin=') === true ? ['/url'] : []);
  const given = { kind, secretMembers, findSecretsIn, schemas: { handle: z.never(), ...schemas }, traits: bounds };
  return given as unknown as AnyProvider;
}

/** Providers of a database and of tokens. */
export const providers = [
  provider('database', {
    config: z.strictObject({ url: z.string(), spare: z.string().optional() }),
    scope: z.strictObject({ schema: z.enum(['emea', 'apac']), verbs: z.array(z.enum(['select'])) }),
  }),
  provider('token', { config: z.strictObject({}), scope: z.strictObject({ audience: z.string() }) }),
];
