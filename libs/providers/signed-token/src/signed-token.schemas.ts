import { NameSchema } from '@mayfly/kernel';
import { z } from 'zod';

const LONGEST_AUDIENCE = 255;
const URN = /^urn:[a-z0-9][a-z0-9-]{1,31}:[A-Za-z0-9._~:/-]+$/;

/** One resource server: an `https` URL in normal form without user, query or fragment, or a URN (RFC 8141). */
const AudienceSchema = z
  .string()
  .max(LONGEST_AUDIENCE)
  .refine(
    (text) => URN.test(text) || isPlainHttpsUrl(text),
    'use an https URL in normal form, or a URN, as the audience',
  );

const OperationSchema = z
  .string()
  .regex(/^[a-z][a-z0-9_.:-]{0,63}$/, 'use 1 to 64 lower-case letters, digits and `_.:-`, a letter first');

/** A rendered scope. A template or a request can put nothing else into a token. */
export const SignedTokenScopeSchema = z.strictObject({
  audience: AudienceSchema,
  operations: z
    .array(OperationSchema)
    .min(1)
    .max(32)
    .refine((operations) => new Set(operations).size === operations.length, 'name each operation once'),
});
export type SignedTokenScope = z.infer<typeof SignedTokenScopeSchema>;

/**
 * `config` of a connection of this provider: the resource servers that may introspect the tokens of an audience. A
 * resource server is a workload identity: the name of a declared issuer and the exact subject of its tokens.
 */
export const SignedTokenConnectionSchema = z.strictObject({
  audience: AudienceSchema,
  resourceServers: z.array(z.strictObject({ issuer: NameSchema, subject: z.string().min(1).max(255) })).max(64),
});

/**
 * The configuration of a mint: that of the connection, or empty when the template names no connection. `inspect`
 * refuses a scope with another audience than the connection's.
 */
export const SignedTokenConfigSchema = SignedTokenConnectionSchema.partial().refine(
  ({ audience, resourceServers }) => (audience === undefined) === (resourceServers === undefined),
  'give both `audience` and `resourceServers`',
);
export type SignedTokenConfig = z.infer<typeof SignedTokenConfigSchema>;

/** The handle of a token: its `jti`, which is the id of its lease. Introspection finds the lease by it. */
export const SignedTokenHandleSchema = z.strictObject({ jti: z.string().min(1).max(64) });
export type SignedTokenHandle = z.infer<typeof SignedTokenHandleSchema>;

/**
 * Returns true for an https URL in the spelling of the URL parser (the slash of an empty path is optional), so that one
 * resource has one name.
 */
function isPlainHttpsUrl(text: string): boolean {
  if (/[?#@*]/.test(text) || !URL.canParse(text)) return false;
  const { protocol, href } = new URL(text);
  return protocol === 'https:' && (href === text || href === `${text}/`);
}
