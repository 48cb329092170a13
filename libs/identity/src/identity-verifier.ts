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

/** What one set of trusted issuers has proven; replaced as a whole, so that nothing of an old set survives in it. */
interface Trust {
  readonly issuers: TrustedIssuers;
  readonly boundClaims: BoundClaims;
  readonly proven: IdentityCache;
}

/** Proves tokens of trusted issuers. Until `replaceIssuers` is called nobody is trusted. */
export class IdentityVerifier {
  private trust: Trust;

  constructor(
    private readonly keySource: KeySource,
    private readonly clock: Clock,
  ) {
    this.trust = this.trustIn([], new Map());
  }

  /**
   * From now on these issuers are trusted and no others; whatever was proven before is proven anew. Of claims only those
   * that agents are bound to (`boundClaimsOf`) are kept. Throws `invalid_declaration`, and changes nothing, when they contradict each other.
   */
  replaceIssuers(issuers: readonly TrustedIssuer[], boundClaims: BoundClaims = new Map()): void {
    this.trust = this.trustIn(issuers, boundClaims);
  }

  /**
   * Who presents this token (the bare compact JWS, no scheme). Throws `unauthenticated`, worded the same for every cause
   * until the signature is proven and with the reason afterwards (`refusedIdentity` has it for the audit either way), or
   * `unavailable` when the issuer's keys cannot be had. A token of a `singleUse` issuer verifies as often as it is shown:
   * consuming its `jti` is the caller's duty.
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

  /** Why the Issuer document of this name is out of force, in words; undefined when it is not. */
  contradictionOf(name: string): string | undefined {
    return this.trust.issuers.contradictionOf(name);
  }

  /** As `verify`, judged anew, and nothing of it kept: for tests of an issuer. It lets nobody in. */
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
   * Nothing in the token is believed, and no rule that its holder is told of is looked at, before the line that proves it;
   * only its issuer and its key are looked up by what it says.
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
