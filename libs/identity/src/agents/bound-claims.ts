/** By the name of an Issuer document: which claims its agents are bound to. A document without an agent has no entry. */
export type BoundClaims = ReadonlyMap<string, ReadonlySet<string>>;

/** What matters of an agent's binding here. */
interface ClaimBinding {
  readonly issuer: string;
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
}

/** Which claims must be kept of a token so that these bindings can be judged. */
export function boundClaimsOf(bindings: readonly ClaimBinding[]): BoundClaims {
  const bound = new Map<string, Set<string>>();
  for (const { issuer, claims = {} } of bindings) {
    const names = bound.get(issuer) ?? new Set();
    for (const name of Object.keys(claims)) names.add(name);
    bound.set(issuer, names);
  }
  return bound;
}
