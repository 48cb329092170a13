import type { KeyObject } from 'node:crypto';
import type { Clock } from '@mayfly/kernel';
import { IdentityCache } from './identity-cache.js';
import type { BoundClaims } from './agents/bound-claims.js';
import { identityRefused, noteRefusedToken } from './identity-refusal.js';
import type { IdentityAlgorithm, TrustedIssuer } from './issuers/issuer-spec.js';
import type { IssuerGroup } from './issuers/issuer-group.js';
import { TrustedIssuers } from './issuers/trusted-issuers.js';
import type { KeySource } from './keys/key-source.js';
import { MAX_TOKEN_LENGTH, readCompactToken, type UnprovenToken } from './token/compact-token.js';
import { acceptingDocuments, checkAlgorithm, checkHeader, checkLifetime, proveToken } from './token/token-checks.js';
import { toVerifiedIdentity, type VerifiedIdentity } from './verified-identity.js';

/**
 * The trusted issuers and the identities proven under them. Replaced as a whole, so that no identity outlives its
 * issuers.
 */
interface Trust {
  readonly issuers: TrustedIssuers;
  readonly boundClaims: BoundClaims;
  readonly proven: IdentityCache;
}

/** Proves tokens of trusted issuers. Trusts no issuer until `replaceIssuers` is called. */
export class IdentityVerifier {
  private trust: Trust;

  constructor(
    private readonly keySource: KeySource,
    private readonly clock: Clock,
  ) {
    this.trust = this.trustIn([], new Map());
  }

  /**
   * Trusts exactly these issuers from now on, and forgets all identities proven before. Keeps only the claims that
   * agents are bound to (`boundClaimsOf`). Throws `invalid_declaration`, and changes nothing, when the issuers
   * contradict each other.
   */
  replaceIssuers(issuers: readonly TrustedIssuer[], boundClaims: BoundClaims = new Map()): void {
    this.trust = this.trustIn(issuers, boundClaims);
  }

  /**
   * Returns the identity that a token proves (the bare compact JWS, no scheme). Throws `unauthenticated`: with one text
   * for every reason before the signature is proven, with the reason afterwards (`refusedIdentity` always has it for
   * the audit). Throws `unavailable` when the issuer's keys cannot be read. A token of a `singleUse` issuer verifies
   * any number of times: the caller must consume its `jti`.
   */
  async verify(token: string): Promise<VerifiedIdentity> {
    if (token.length > MAX_TOKEN_LENGTH) throw identityRefused('oversized');
    const trust = this.trust;
    const now = this.clock.now();
    const known = trust.proven.get(token, now);
    if (known !== undefined) return known;
    const identity = await this.prove(token, trust, now);
    trust.proven.set(token, identity, now);
    return identity;
  }

  /**
   * Returns the reason why the Issuer document of this name is out of force, in words; undefined when it is in force.
   */
  contradictionOf(name: string): string | undefined {
    return this.trust.issuers.contradictionOf(name);
  }

  /**
   * Proves a token as `verify` does, without reading or filling the cache. For tests of an issuer; grants no access.
   */
  judge(token: string): Promise<VerifiedIdentity> {
    return this.prove(token, this.trust, this.clock.now());
  }

  private async prove(token: string, { issuers, boundClaims }: Trust, now: Date): Promise<VerifiedIdentity> {
    let group: IssuerGroup | undefined;
    try {
      const unproven = readCompactToken(token);
      group = issuers.select(unproven.claims);
      await this.proveSignature(token, unproven, group, now);
      const { header, claims } = unproven;
      const accepting = acceptingDocuments(header, claims, group);
      const times = checkLifetime(claims, group.lead.spec, now);
      return toVerifiedIdentity({ group, accepting, claims, boundClaims, times });
    } catch (error) {
      noteRefusedToken(error, token, group?.lead.name);
      throw error;
    }
  }

  /**
   * Until the signature is proven, the token only selects its issuer and its key, and no rule is checked whose reason
   * the caller may read.
   */
  private async proveSignature(token: string, { header }: UnprovenToken, group: IssuerGroup, now: Date): Promise<void> {
    const key = await this.findKey(group.lead, checkAlgorithm(header, group.lead.spec), header.kid);
    await proveToken(token, key, group, now);
    checkHeader(header, group);
  }

  private async findKey(issuer: TrustedIssuer, algorithm: IdentityAlgorithm, kid?: string): Promise<KeyObject> {
    const keys = await this.keySource.current(issuer);
    const known = keys.find(algorithm, kid);
    if (known !== undefined) return known;
    if (kid !== undefined && keys.has(kid)) throw identityRefused('algorithm');
    const found = (await this.keySource.refresh(issuer)).find(algorithm, kid);
    if (found === undefined) throw identityRefused('unknown_key');
    return found;
  }

  private trustIn(issuers: readonly TrustedIssuer[], boundClaims: BoundClaims): Trust {
    return { issuers: new TrustedIssuers(issuers), boundClaims, proven: new IdentityCache() };
  }
}
