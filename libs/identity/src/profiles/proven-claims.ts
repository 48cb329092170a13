import { identityRefused } from '../identity-refusal.js';
import type { TokenClaims } from '../token/compact-token.js';
import type { ClaimValue, KeptClaims } from './profile.js';

const MAX_VALUE_LENGTH = 512;

/**
 * The claims of these names that are short strings, booleans or whole numbers that JSON keeps exactly; a list never
 * stands in for one, and no claim is left out for the number of those before it.
 */
export function keepClaims(claims: TokenClaims, names: Iterable<string>): KeptClaims {
  const kept = [...names].flatMap((name) => {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
    return isScalar(value) ? [[name, value] as const] : [];
  });
  return Object.fromEntries(kept);
}

/** The same, of strings alone. */
export function keepTexts(claims: TokenClaims, names: readonly string[]): KeptClaims {
  return keepClaims(
    claims,
    names.filter((name) => typeof claims[name] === 'string'),
  );
}

function isScalar(value: unknown): value is ClaimValue {
  if (typeof value === 'string') return value.length <= MAX_VALUE_LENGTH;
  return typeof value === 'boolean' || Number.isSafeInteger(value);
}

/** The subject as it is. Throws `unauthenticated` (`missing_claim`) when there is none. */
export function subjectOf({ sub }: TokenClaims): string {
  if (sub === undefined) throw identityRefused('missing_claim', '`sub`');
  return sub;
}
