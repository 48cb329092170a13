import type { JsonObject } from '@mayfly/kernel';

/** Returns the authorization server metadata (RFC 8414 §2) of the issuer at `publicUrl`. */
export function serverMetadata(publicUrl: string, hasDocs: boolean): JsonObject {
  return {
    issuer: publicUrl,
    jwks_uri: `${publicUrl}/.well-known/jwks.json`,
    introspection_endpoint: `${publicUrl}/oauth/introspect`,
    // Not a registered method: callers send their workload identity token (RFC 7662 §2.1 permits a bearer token).
    introspection_endpoint_auth_methods_supported: ['bearer'],
    revocation_endpoint: `${publicUrl}/oauth/revoke`,
    revocation_endpoint_auth_methods_supported: ['bearer'],
    // `POST /tasks` issues the tokens: there is no authorization endpoint and no token endpoint.
    response_types_supported: [],
    grant_types_supported: [],
    authorization_details_types_supported: ['mayfly_operations'],
    ...(hasDocs ? { service_documentation: `${publicUrl}/docs` } : {}),
  };
}

/** Returns the OpenID Provider metadata (OpenID Connect Discovery 1.0 §3) for targets that trust Mayfly. */
export function openIdConfiguration(issuer: string, algorithm: string): JsonObject {
  return {
    issuer,
    jwks_uri: `${issuer}/jwks.json`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [algorithm],
    claims_supported: ['iss', 'sub', 'aud', 'exp', 'iat', 'jti'],
  };
}
