import { identityRefused } from '../identity-refusal.js';
import type { IdentityClaims } from '../token/compact-token.js';
import type { ClaimValue, KeptClaims } from './profile.js';

const MAX_VALUE_LENGTH = 512;

/**
 * Returns the named claims that are short strings, booleans, or whole numbers that JSON keeps exactly. A list never
 * counts as its only value. The number of claims is not limited.
 */
export function keepClaims(claims: IdentityClaims, names: Iterable<string>): KeptClaims {
  const kept = [...names].flatMap((name) => {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
    return isScalar(value) ? [[name, value] as const] : [];
  });
  return Object.fromEntries(kept);
}

/** Returns the named claims that are short strings. */
export function keepTexts(claims: IdentityClaims, names: readonly string[]): KeptClaims {
  return keepClaims(
    claims,
    names.filter((name) => typeof claims[name] === 'string'),
  );
}

function isScalar(value: unknown): value is ClaimValue {
  if (typeof value === 'string') return value.length <= MAX_VALUE_LENGTH;
  return typeof value === 'boolean' || Number.isSafeInteger(value);
}

/** Returns the subject unchanged. Throws `unauthenticated` (`missing_claim`) when it is absent. */
export function subjectOf({ sub }: IdentityClaims): string {
  if (sub === undefined) throw identityRefused('missing_claim', '`sub`');
  return sub;
}
