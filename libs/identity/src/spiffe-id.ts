/** A SPIFFE ID, taken apart. `canonical` has a lower-case scheme and trust domain; two ids are equal when it is. */
export interface SpiffeId {
  readonly trustDomain: string;
  /** empty for the trust domain itself, else `/` and segments */
  readonly path: string;
  readonly canonical: string;
}

const MAX_ID_LENGTH = 2048;
const MAX_TRUST_DOMAIN_LENGTH = 255;
const SHAPE = /^spiffe:\/\/([a-z0-9._-]+)((?:\/[A-Za-z0-9._-]+)*)$/;

/**
 * Reads a SPIFFE ID (SPIFFE ID §2): no port, user, percent-encoding, query, fragment, empty or dot segment, no trailing
 * `/`. Scheme and trust domain compare case-insensitively, the path case-sensitively. Undefined for anything else.
 * It is not read with `URL`, which would repair what must be refused.
 */
export function parseSpiffeId(text: string): SpiffeId | undefined {
  // ASCII before lower case: the Kelvin sign would become a plain `k`.
  if (text.length > MAX_ID_LENGTH || !/^[\x21-\x7e]*$/.test(text)) return undefined;
  const canonical = lowerCaseAuthority(text);
  const [, trustDomain, path] = SHAPE.exec(canonical) ?? [];
  if (trustDomain === undefined || path === undefined) return undefined;
  if (trustDomain.length > MAX_TRUST_DOMAIN_LENGTH) return undefined;
  if (path.split('/').some((segment) => segment === '.' || segment === '..')) return undefined;
  return { trustDomain, path, canonical };
}

/** Whether the text claims to be a SPIFFE ID, well formed or not. */
export function looksLikeSpiffeId(text: string): boolean {
  return /^spiffe:/i.test(text);
}

/** `text` with scheme and trust domain in lower case; left alone when it has none. */
export function lowerCaseAuthority(text: string): string {
  return text.replace(/^spiffe:\/\/[^/]*/i, (authority) => authority.toLowerCase());
}
