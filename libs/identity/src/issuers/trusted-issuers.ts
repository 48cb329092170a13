import type { PublicEgress } from '@mayfly/egress';
import { Problem, type FieldError } from '@mayfly/kernel';
import { identityRefused } from '../identity-refusal.js';
import { looksLikeSpiffeId } from '../spiffe-id.js';
import type { TokenClaims } from '../token/compact-token.js';
import { describeTermFault, groupIssuers, termFaults, trustDomainKey, type IssuerGroup } from './issuer-group.js';
import type { IssuerSpec, TrustedIssuer } from './issuer-spec.js';

/** Whose tokens are believed, found without cryptography and without a fetch. */
export class TrustedIssuers {
  private readonly byIssuer: ReadonlyMap<string, IssuerGroup>;

  /**
   * A document without roles that contradicts one with roles is left out: it is not in force. Throws
   * `invalid_declaration` when others contradict each other.
   */
  constructor(issuers: readonly TrustedIssuer[]) {
    this.byIssuer = new Map([...groupIssuers(issuers)].map(([key, group]) => [key, withoutContradictions(group)]));
  }

  /** Why the document of this name is out of force, with the document and the members that it contradicts; undefined when it is in force. */
  contradictionOf(name: string): string | undefined {
    const faults = [...this.byIssuer.values()].flatMap(({ overruled = [] }) => overruled);
    const own = faults.filter(({ document }) => document.name === name);
    return own.length === 0 ? undefined : own.map(describeTermFault).join('; ');
  }

  /**
   * The issuer that the token says it comes from: the exact `iss`, else (a JWT-SVID need not have one) the trust domain
   * of `sub`. Throws `unauthenticated` (`unknown_issuer`).
   */
  select({ iss, sub = '' }: Pick<TokenClaims, 'iss' | 'sub'>): IssuerGroup {
    const named = iss === undefined || looksLikeSpiffeId(iss) ? undefined : this.byIssuer.get(iss);
    const group = named ?? this.byIssuer.get(trustDomainKey(sub));
    if (group === undefined) throw identityRefused('unknown_issuer');
    return group;
  }
}

function withoutContradictions(group: IssuerGroup): IssuerGroup {
  const faults = termFaults(group);
  for (const fault of faults) {
    const { lead, document } = fault;
    const isOverruled = lead.spec.roles !== undefined && document.spec.roles === undefined;
    if (!isOverruled) throw invalid(`issuer \`${document.name}\`: /${fault.member}: ${describeTermFault(fault)}`);
  }
  const overruled = new Set(faults.map(({ document }) => document));
  return { ...group, documents: group.documents.filter((document) => !overruled.has(document)), overruled: faults };
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

function invalid(detail: string): Problem {
  return new Problem('invalid_declaration', detail);
}
