import { identityRefused } from '../identity-refusal.js';
import type { TokenClaims } from '../token/compact-token.js';
import type { KeptClaims } from './profile.js';

const MAX_KEPT = 32;
const MAX_VALUE_LENGTH = 512;

/** The claims of these names that are short strings; an array or a number never stands in for one. */
export function keepClaims(claims: TokenClaims, names: readonly string[]): KeptClaims {
  const kept = names.flatMap((name) => {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
    return typeof value === 'string' && value.length <= MAX_VALUE_LENGTH ? [[name, value] as const] : [];
  });
  return Object.fromEntries(kept.slice(0, MAX_KEPT));
}

/** The subject as it is. Throws `unauthenticated` (`missing_claim`) when there is none. */
export function subjectOf({ sub }: TokenClaims): string {
  if (sub === undefined) throw identityRefused('missing_claim');
  return sub;
}
