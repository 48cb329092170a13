import { canonicalJson, type Json } from '@mayfly/kernel';
import { parseSpiffeId } from '../spiffe-id.js';
import { isSingleUse, type IssuerSpec, type TrustedIssuer } from './issuer-spec.js';

/**
 * All Issuer documents of one issuer. They share keys, algorithms and bounds. Each document names its own audiences and
 * token types: a token gets roles and agents only from the documents that accept it.
 */
export interface IssuerGroup {
  /** the document whose keys, algorithms and bounds apply; one with roles when there is one */
  readonly lead: TrustedIssuer;
  /** the lead is first */
  readonly documents: readonly TrustedIssuer[];
  /** faults of documents that are out of force: they contradict the lead, and are not in `documents` */
  readonly overruled?: readonly TermFault[];
}

/** A document that contradicts the lead of its group in one term. */
export interface TermFault {
  readonly document: TrustedIssuer;
  readonly lead: TrustedIssuer;
  readonly member: keyof IssuerSpec;
}

/**
 * The members that each document states for itself. All other members are terms, which the documents of one issuer
 * share.
 */
const OWN_MEMBERS: readonly string[] = [
  'issuer',
  'audiences',
  'multipleAudiences',
  'tokenTypes',
  'roles',
  'groups',
  'owner',
];

/**
 * Returns a key that is equal for documents of one issuer: trust domains compare case-insensitively, all else exactly.
 */
export function issuerKey({ profile, issuer }: IssuerSpec): string {
  return profile === 'spiffe-jwt' ? trustDomainKey(issuer) : issuer;
}

/**
 * Returns the key of the trust domain in a SPIFFE ID; empty for any other text. The key never equals an `issuer` of
 * another profile, which is a URL or a URN.
 */
export function trustDomainKey(id: string): string {
  const parsed = parseSpiffeId(id);
  return parsed === undefined ? '' : `spiffe://${parsed.trustDomain}`;
}

/**
 * Groups the documents by `issuerKey`. The lead is a document with roles before one without, so that an author who may
 * declare only issuers without roles cannot change the keys of one with roles. Then a document that is not `changed`
 * comes first, then the first by name.
 */
export function groupIssuers(
  issuers: readonly TrustedIssuer[],
  isChanged: (document: TrustedIssuer) => boolean = () => false,
): Map<string, IssuerGroup> {
  const rank = (document: TrustedIssuer): number =>
    (document.spec.roles === undefined ? 2 : 0) + (isChanged(document) ? 1 : 0);
  const sorted = issuers.toSorted((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
  const groups = new Map<string, IssuerGroup>();
  for (const document of sorted) {
    const key = issuerKey(document.spec);
    const group = groups.get(key);
    groups.set(key, { lead: group?.lead ?? document, documents: [...(group?.documents ?? []), document] });
  }
  return groups;
}

/** Returns the contradictions between documents and their lead, one fault per member. */
export function termFaults({ lead, documents }: IssuerGroup): TermFault[] {
  return documents.flatMap((document) =>
    membersOf(lead.spec, document.spec)
      .filter((member) => termOf(document.spec, member) !== termOf(lead.spec, member))
      .map((member) => ({ document, lead, member })),
  );
}

/** Returns the change to make, for the author of the document. */
export function describeTermFault({ document, lead, member }: TermFault): string {
  const change = `\`${lead.name}\` declares the same issuer with another \`${member}\`; make both equal`;
  const isAnOperators = lead.spec.roles !== undefined && document.spec.roles === undefined;
  return isAnOperators ? `${change} (\`${lead.name}\` counts, since it has \`roles\`)` : change;
}

function membersOf(left: IssuerSpec, right: IssuerSpec): (keyof IssuerSpec)[] {
  const members = new Set([...Object.keys(left), ...Object.keys(right)].filter((name) => !OWN_MEMBERS.includes(name)));
  return [...members] as (keyof IssuerSpec)[];
}

/** Returns a term as text to compare. A document that states the default equals one that leaves the member out. */
function termOf(spec: IssuerSpec, member: keyof IssuerSpec): string {
  return textOf(member === 'replay' ? isSingleUse(spec) : spec[member]);
}

/** Returns a value as canonical text; lists of algorithms in another order give the same text. */
function textOf(value: unknown): string {
  if (Array.isArray(value)) return canonicalJson([...(value as string[])].sort());
  return value === undefined ? '' : canonicalJson(value as Json);
}
