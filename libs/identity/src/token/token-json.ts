import { parseStrictJson, type JsonFault, type JsonObject } from '@mayfly/kernel';
import { identityRefused } from '../identity-refusal.js';

const MAX_DEPTH = 16;

/**
 * Parses the JSON object of a token's header or claims and refuses a duplicate member (RFC 7515 §4, RFC 7519 §4).
 * Throws `unauthenticated` with `malformed` or `duplicate_claim`.
 */
export function parseTokenJson(text: string): JsonObject {
  const refuse = (fault: JsonFault): Error =>
    identityRefused(fault === 'duplicate_member' ? 'duplicate_claim' : 'malformed');
  const value = parseStrictJson(text, { maxDepth: MAX_DEPTH, refuse });
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw identityRefused('malformed');
  return value as JsonObject;
}
