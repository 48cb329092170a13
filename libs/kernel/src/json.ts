import { hash } from 'node:crypto';
import canonicalize from 'canonicalize';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json | undefined;
}

/** Returns canonical JSON (RFC 8785): equal values give equal bytes. Throws on a value that JSON cannot hold. */
export function canonicalJson(value: Json): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError('value has no JSON form');
  return text;
}

/** Returns the SHA-256 of the canonical JSON of `value`, as base64url without padding (43 characters). */
export function digestOf(value: Json): string {
  return hash('sha256', canonicalJson(value), 'base64url');
}
