/**
 * A parsed SPIFFE ID. `canonical` has a lower-case scheme and trust domain; ids with the same `canonical` are equal.
 */
export interface SpiffeId {
  readonly trustDomain: string;
  /** empty for the trust domain itself, otherwise `/` and segments */
  readonly path: string;
  readonly canonical: string;
}

const MAX_ID_LENGTH = 2048;
const MAX_TRUST_DOMAIN_LENGTH = 255;
const SHAPE = /^spiffe:\/\/([a-z0-9._-]+)((?:\/[A-Za-z0-9._-]+)*)$/;

/**
 * Parses a SPIFFE ID (SPIFFE ID §2): no port, user, percent-encoding, query or fragment, no empty or dot segment, no
 * trailing `/`. Scheme and trust domain compare case-insensitively, the path case-sensitively. Returns undefined for
 * any other text. Does not use `URL`, which would repair text that must be refused.
 */
export function parseSpiffeId(text: string): SpiffeId | undefined {
  // Checks for ASCII before lower-casing: the Kelvin sign would become a plain `k`.
  if (text.length > MAX_ID_LENGTH || !/^[\x21-\x7e]*$/.test(text)) return undefined;
  const canonical = lowerCaseAuthority(text);
  const [, trustDomain, path] = SHAPE.exec(canonical) ?? [];
  if (trustDomain === undefined || path === undefined) return undefined;
  if (trustDomain.length > MAX_TRUST_DOMAIN_LENGTH) return undefined;
  if (path.split('/').some((segment) => segment === '.' || segment === '..')) return undefined;
  return { trustDomain, path, canonical };
}

/** True when the text claims to be a SPIFFE ID, well formed or not. */
export function looksLikeSpiffeId(text: string): boolean {
  return /^spiffe:/i.test(text);
}

/** Returns `text` with scheme and trust domain in lower case; unchanged when it has none. */
export function lowerCaseAuthority(text: string): string {
  return text.replace(/^spiffe:\/\/[^/]*/i, (authority) => authority.toLowerCase());
}
