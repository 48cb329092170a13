import { z } from 'zod';

/** The form of both endpoints (RFC 7662 §2.1, RFC 7009 §2.1). A hint is ignored, as both require for a wrong one. */
export const TokenFormSchema = z
  .strictObject({
    token: z.string().min(1).max(8_192).meta({ description: 'a token that this service issued' }),
    token_type_hint: z
      .string()
      .max(64)
      .optional()
      .meta({ examples: ['access_token'] }),
  })
  .meta({ id: 'TokenForm' });
export type TokenForm = z.infer<typeof TokenFormSchema>;

/** The form of introspection: `consume` is an extension (RFC 7662 §2.1 permits further parameters). */
export const IntrospectionFormSchema = TokenFormSchema.extend({
  consume: z.literal('1').optional().meta({
    description:
      'takes one use of the task of the token; for resource servers of its audience, and inactive when none is left',
  }),
}).meta({ id: 'IntrospectionForm' });
export type IntrospectionForm = z.infer<typeof IntrospectionFormSchema>;

/** The answer of introspection (RFC 7662 §2.2): only `active` for a token that the caller may not see. */
export const IntrospectionSchema = z
  .union([
    z.strictObject({ active: z.literal(false) }),
    z.strictObject({
      active: z.literal(true),
      scope: z.string(),
      client_id: z.string(),
      sub: z.string().meta({ description: 'the agent; in a task that was handed on, the agent of its root' }),
      act: z.looseObject({ sub: z.string() }).optional().meta({
        description: 'who acts, and who handed the work on (RFC 8693 §4.1); only the outermost may decide access',
      }),
      aud: z.string(),
      iss: z.string(),
      exp: z.int(),
      iat: z.int(),
      jti: z.string().meta({ description: 'the id of the lease' }),
      token_type: z.literal('Bearer'),
      task_id: z.string(),
      authorization_details: z.array(z.looseObject({ type: z.string() })),
    }),
  ])
  .meta({ id: 'Introspection' });

/** An error of an OAuth endpoint (RFC 6749 §5.2). */
export const OAuthErrorSchema = z
  .strictObject({ error: z.string(), error_description: z.string() })
  .meta({ id: 'OAuthError' });

/** A set of public keys (RFC 7517 §5). */
export const JwksSchema = z
  .strictObject({ keys: z.array(z.looseObject({ kty: z.string(), kid: z.string(), alg: z.string() })) })
  .meta({ id: 'Jwks' });

/** OpenID Provider metadata (OpenID Connect Discovery 1.0 §3), without login endpoints: Mayfly offers no login. */
export const OpenIdConfigurationSchema = z
  .strictObject({
    issuer: z.url(),
    jwks_uri: z.url(),
    response_types_supported: z.array(z.string()),
    subject_types_supported: z.array(z.string()),
    id_token_signing_alg_values_supported: z.array(z.string()),
    claims_supported: z.array(z.string()),
  })
  .meta({ id: 'OpenIdConfiguration' });

/** Authorization server metadata (RFC 8414 §2). */
export const MetadataSchema = z
  .strictObject({
    issuer: z.url(),
    jwks_uri: z.url(),
    introspection_endpoint: z.url(),
    introspection_endpoint_auth_methods_supported: z.array(z.string()),
    revocation_endpoint: z.url(),
    revocation_endpoint_auth_methods_supported: z.array(z.string()),
    response_types_supported: z.array(z.string()),
    grant_types_supported: z.array(z.string()),
    authorization_details_types_supported: z.array(z.string()),
    service_documentation: z.url().optional(),
  })
  .meta({ id: 'AuthorizationServerMetadata' });
