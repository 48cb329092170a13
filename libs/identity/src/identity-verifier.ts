import type { KeyObject } from 'node:crypto';
import type { Clock } from '@mayfly/kernel';
import { IdentityCache } from './identity-cache.js';
import { identityRefused } from './identity-refusal.js';
import type { IdentityAlgorithm, TrustedIssuer } from './issuers/issuer-spec.js';
import { TrustedIssuers } from './issuers/trusted-issuers.js';
import type { KeySource } from './keys/key-source.js';
import { MAX_TOKEN_LENGTH, readCompactToken } from './token/compact-token.js';
import { checkHeader, checkLifetime, proveToken } from './token/token-checks.js';
import { toVerifiedIdentity, type VerifiedIdentity } from './verified-identity.js';

/** What one set of trusted issuers has proven; replaced as a whole, so that nothing of an old set survives in it. */
interface Trust {
  readonly issuers: TrustedIssuers;
  readonly proven: IdentityCache;
}

/** Proves tokens of trusted issuers. Until `replaceIssuers` is called nobody is trusted. */
export class IdentityVerifier {
  private trust: Trust;

  constructor(
    private readonly keySource: KeySource,
    private readonly clock: Clock,
  ) {
    this.trust = this.trustIn([]);
  }

  /**
   * From now on these issuers are trusted and no others; whatever was proven before is proven anew.
   * Throws `invalid_declaration`, and changes nothing, when they contradict each other.
   */
  replaceIssuers(issuers: readonly TrustedIssuer[]): void {
    this.trust = this.trustIn(issuers);
  }

  /**
   * Who presents this token (the bare compact JWS, no scheme). Throws `unauthenticated`, worded the same for every cause
   * (`identityRefusalReason` has it for the audit), or `unavailable` when the issuer's keys cannot be had. A token of a
   * `singleUse` issuer verifies as often as it is shown: consuming its `jti` is the caller's duty.
   */
  async verify(token: string): Promise<VerifiedIdentity> {
    if (token.length > MAX_TOKEN_LENGTH) throw identityRefused('oversized');
    const trust = this.trust;
    const now = this.clock.now();
    const known = trust.proven.get(token, now);
    if (known !== undefined) return known;
    const identity = await this.prove(token, trust.issuers, now);
    trust.proven.set(token, identity, now);
    return identity;
  }

  /** As `verify`, judged anew, and nothing of it kept: for tests of an issuer. It lets nobody in. */
  judge(token: string): Promise<VerifiedIdentity> {
    return this.prove(token, this.trust.issuers, this.clock.now());
  }

  /** Nothing in the token is believed before the line that proves it; only its issuer is looked up by what it says. */
  private async prove(token: string, issuers: TrustedIssuers, now: Date): Promise<VerifiedIdentity> {
    const { header, claims } = readCompactToken(token);
    const issuer = issuers.select(claims);
    const algorithm = checkHeader(header, issuer.spec);
    const key = await this.findKey(issuer, algorithm, header.kid);
    await proveToken(token, key, issuer.spec, now);
    return toVerifiedIdentity(issuer, claims, checkLifetime(claims, issuer.spec, now));
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

  private trustIn(issuers: readonly TrustedIssuer[]): Trust {
    return { issuers: new TrustedIssuers(issuers), proven: new IdentityCache() };
  }
}
