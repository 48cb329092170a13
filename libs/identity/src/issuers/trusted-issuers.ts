import type { PublicEgress } from '@mayfly/egress';
import { Problem, type FieldError } from '@mayfly/kernel';
import { identityRefused } from '../identity-refusal.js';
import { looksLikeSpiffeId, parseSpiffeId } from '../spiffe-id.js';
import type { TokenClaims } from '../token/compact-token.js';
import type { IssuerSpec, TrustedIssuer } from './issuer-spec.js';

/** Whose tokens are believed, found without cryptography and without a fetch. */
export class TrustedIssuers {
  private readonly byIssuer = new Map<string, TrustedIssuer>();

  /** Throws `invalid_declaration` when two records speak for one issuer. */
  constructor(issuers: readonly TrustedIssuer[]) {
    for (const issuer of issuers) {
      const key = issuerKey(issuer.spec);
      const rival = this.byIssuer.get(key);
      if (rival !== undefined) {
        throw invalid(`issuers \`${rival.name}\` and \`${issuer.name}\` trust the same issuer; declare it once`);
      }
      this.byIssuer.set(key, issuer);
    }
  }

  /**
   * The issuer that the token says it comes from: the exact `iss`, else (a JWT-SVID need not have one) the trust domain
   * of `sub`. Throws `unauthenticated` (`unknown_issuer`).
   */
  select({ iss, sub = '' }: Pick<TokenClaims, 'iss' | 'sub'>): TrustedIssuer {
    const named = iss === undefined || looksLikeSpiffeId(iss) ? undefined : this.byIssuer.get(iss);
    const issuer = named ?? this.byIssuer.get(trustDomainKey(sub));
    if (issuer === undefined) throw identityRefused('unknown_issuer');
    return issuer;
  }
}

/**
 * Where a record would have us fetch although `egress` does not allow it; pointers are relative to the spec. The issuer's own
 * URL is fetched for discovery only and is a mere name otherwise. What names resolve to is judged when keys are fetched.
 */
export function issuerEgressErrors({ issuer, keys }: IssuerSpec, egress: PublicEgress): FieldError[] {
  const urls: readonly (readonly [string, string | undefined])[] = [
    ['/issuer', keys.discovery === true ? issuer : undefined],
    ['/keys/jwksUri', keys.jwksUri],
    ['/keys/bundleEndpoint/url', keys.bundleEndpoint?.url],
  ];
  return urls.flatMap(([pointer, url]) => {
    const refusal = url === undefined ? undefined : egress.refusalOf(url);
    return refusal === undefined ? [] : [{ pointer, detail: refusal.message }];
  });
}

/** Equal for two records that speak for one issuer: trust domains compare case-insensitively, all else exactly. */
export function issuerKey({ profile, issuer }: IssuerSpec): string {
  return profile === 'spiffe-jwt' ? trustDomainKey(issuer) : issuer;
}

/** Never equal to the `issuer` of another profile: those are URLs and URNs. */
function trustDomainKey(id: string): string {
  const parsed = parseSpiffeId(id);
  return parsed === undefined ? '' : `spiffe://${parsed.trustDomain}`;
}

function invalid(detail: string): Problem {
  return new Problem('invalid_declaration', detail);
}
