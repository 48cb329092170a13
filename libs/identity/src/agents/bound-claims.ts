/** The claims that agents are bound to, by the name of the Issuer document. A document without agents has no entry. */
export type BoundClaims = ReadonlyMap<string, ReadonlySet<string>>;

/** The members of an agent's binding that this file uses. */
interface ClaimBinding {
  readonly issuer: string;
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
}

/** Returns the claims of a token that these bindings need. */
export function boundClaimsOf(bindings: readonly ClaimBinding[]): BoundClaims {
  const bound = new Map<string, Set<string>>();
  for (const { issuer, claims = {} } of bindings) {
    const names = bound.get(issuer) ?? new Set();
    for (const name of Object.keys(claims)) names.add(name);
    bound.set(issuer, names);
  }
  return bound;
}
