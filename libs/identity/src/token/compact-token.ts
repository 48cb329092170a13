import type { JsonObject } from '@mayfly/kernel';
import { z } from 'zod';
import { identityRefused, malformedMember } from '../identity-refusal.js';
import { parseTokenJson } from './token-json.js';

export const MAX_TOKEN_LENGTH = 16 * 1024;
const COMPACT_JWS = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)$/;

const HeaderSchema = z.looseObject({
  alg: z.string(),
  kid: z.string().max(256).optional(),
  typ: z.string().max(64).optional(),
});
export type TokenHeader = z.infer<typeof HeaderSchema>;

// Subjects are ASCII (OIDC Core §2): no look-alike letters, no normalisation, no control characters in the audit.
const text = z.string().max(2048);
const asciiText = text.regex(/^[\x20-\x7e]+$/);
const ClaimsSchema = z.looseObject({
  iss: text.optional(),
  sub: asciiText.optional(),
  aud: z.union([text, z.array(text).max(64)]).optional(),
  exp: z.number().optional(),
  nbf: z.number().optional(),
  iat: z.number().optional(),
  jti: asciiText.max(256).optional(),
});
export type IdentityClaims = z.infer<typeof ClaimsSchema>;

/** A token that was parsed and not proven. Its contents may only select the issuer and the key. */
export interface UnprovenToken {
  readonly header: TokenHeader;
  readonly claims: IdentityClaims;
}

/**
 * Parses a compact JWS before any cryptography. Checks length, three segments (a JWE has five), base64url without
 * padding or spare bits, UTF-8, no duplicate member, and the types of registered claims (RFC 7519 §4.1). Throws
 * `unauthenticated` with `oversized`, `malformed` or `duplicate_claim`.
 */
export function readCompactToken(token: string): UnprovenToken {
  if (token.length > MAX_TOKEN_LENGTH) throw identityRefused('oversized');
  const [, header, payload, signature] = COMPACT_JWS.exec(token) ?? [];
  if (header === undefined || payload === undefined || signature === undefined) throw identityRefused('malformed');
  decode(signature);
  return { header: read(HeaderSchema, header), claims: read(ClaimsSchema, payload) };
}

function read<Shape>(schema: z.ZodType<Shape>, segment: string): Shape {
  const json: JsonObject = parseTokenJson(decodeText(segment));
  const result = schema.safeParse(json);
  if (!result.success) throw malformedMember(String(result.error.issues[0]?.path[0] ?? ''));
  return result.data;
}

function decodeText(segment: string): string {
  const bytes = decode(segment);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw identityRefused('malformed');
  }
}

/** Refuses spare bits, so that a token has one spelling and one digest. */
function decode(segment: string): Buffer {
  const bytes = Buffer.from(segment, 'base64url');
  if (bytes.toString('base64url') !== segment) throw identityRefused('malformed');
  return bytes;
}
