import type { PublicEgress } from '@mayfly/egress';
import { Problem, type FieldError } from '@mayfly/kernel';
import { identityRefused } from '../identity-refusal.js';
import { looksLikeSpiffeId } from '../spiffe-id.js';
import type { IdentityClaims } from '../token/compact-token.js';
import { describeTermFault, groupIssuers, termFaults, trustDomainKey, type IssuerGroup } from './issuer-group.js';
import type { IssuerSpec, TrustedIssuer } from './issuer-spec.js';

/** The trusted issuers, found without cryptography and without a fetch. */
export class TrustedIssuers {
  private readonly byIssuer: ReadonlyMap<string, IssuerGroup>;

  /**
   * Leaves out a document without roles that contradicts one with roles: it is out of force. Throws
   * `invalid_declaration` for any other contradiction.
   */
  constructor(issuers: readonly TrustedIssuer[]) {
    this.byIssuer = new Map([...groupIssuers(issuers)].map(([key, group]) => [key, withoutContradictions(group)]));
  }

  /**
   * Returns the reason why the document of this name is out of force, with the document and the members that it
   * contradicts; undefined when it is in force.
   */
  contradictionOf(name: string): string | undefined {
    const faults = [...this.byIssuer.values()].flatMap(({ overruled = [] }) => overruled);
    const own = faults.filter(({ document }) => document.name === name);
    return own.length === 0 ? undefined : own.map(describeTermFault).join('; ');
  }

  /**
   * Returns the issuer that the token names: the exact `iss`, or the trust domain of `sub` (a JWT-SVID need not have an
   * `iss`). Throws `unauthenticated` (`unknown_issuer`).
   */
  select({ iss, sub = '' }: Pick<IdentityClaims, 'iss' | 'sub'>): IssuerGroup {
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
 * Returns the URLs of a document that `egress` refuses; pointers are relative to the spec. The issuer's own URL counts
 * for discovery only: otherwise Mayfly never fetches it. The addresses of a name are judged when the keys are fetched.
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
