import { Problem, type FieldError } from '@mayfly/kernel';
import { identityRefused } from '../identity-refusal.js';
import { egressError, type Egress } from '../keys/egress.js';
import { looksLikeSpiffeId } from '../spiffe-id.js';
import type { TokenClaims } from '../token/compact-token.js';
import { describeTermFault, groupIssuers, termFaults, trustDomainKey, type IssuerGroup } from './issuer-group.js';
import type { IssuerSpec, TrustedIssuer } from './issuer-spec.js';

/** Whose tokens are believed, found without cryptography and without a fetch. */
export class TrustedIssuers {
  private readonly byIssuer: ReadonlyMap<string, IssuerGroup>;

  /**
   * A document without roles that contradicts one with roles is left out: it is not in force. Throws
   * `invalid_declaration` when others contradict each other or a document reaches where `egress` does not allow.
   */
  constructor(issuers: readonly TrustedIssuer[], egress: Egress) {
    for (const { name, spec } of issuers) {
      const [error] = issuerEgressErrors(spec, egress);
      if (error !== undefined) throw invalid(`issuer \`${name}\`: ${error.pointer}: ${error.detail}`);
    }
    this.byIssuer = new Map([...groupIssuers(issuers)].map(([key, group]) => [key, withoutContradictions(group)]));
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
  return { ...group, documents: group.documents.filter((document) => !overruled.has(document)) };
}

/** Where a record would reach although `egress` does not allow it; pointers are relative to the spec. */
export function issuerEgressErrors(spec: IssuerSpec, egress: Egress): FieldError[] {
  const urls: readonly (readonly [string, string | undefined])[] = [
    ['/issuer', /^https?:/.test(spec.issuer) ? spec.issuer : undefined],
    ['/keys/jwksUri', spec.keys.jwksUri],
  ];
  return urls.flatMap(([pointer, url]) => {
    const detail = url === undefined ? undefined : egressError(url, egress);
    return detail === undefined ? [] : [{ pointer, detail }];
  });
}

function invalid(detail: string): Problem {
  return new Problem('invalid_declaration', detail);
}
