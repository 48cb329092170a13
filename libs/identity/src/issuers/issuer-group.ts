import { canonicalJson, type Json } from '@mayfly/kernel';
import { parseSpiffeId } from '../spiffe-id.js';
import { isSingleUse, type IssuerSpec, type TrustedIssuer } from './issuer-spec.js';

/**
 * All Issuer documents of one issuer. They share keys, algorithms and bounds, and each says for which audiences and
 * types of token it stands: a token counts under the documents that accept it, for their roles and their agents alone.
 */
export interface IssuerGroup {
  /** whose keys, algorithms and bounds count: a document with roles where there is one */
  readonly lead: TrustedIssuer;
  /** the lead first */
  readonly documents: readonly TrustedIssuer[];
  /** why documents of the issuer are out of force: they contradict the lead, and are not among `documents` */
  readonly overruled?: readonly TermFault[];
}

/** A document that states another term than the lead of its group. */
export interface TermFault {
  readonly document: TrustedIssuer;
  readonly lead: TrustedIssuer;
  readonly member: keyof IssuerSpec;
}

/** What each document says for itself; all other members are terms, which the documents of one issuer share. */
const OWN_MEMBERS: readonly string[] = ['issuer', 'audiences', 'multipleAudiences', 'tokenTypes', 'roles'];

/** Equal for two documents of one issuer: trust domains compare case-insensitively, all else exactly. */
export function issuerKey({ profile, issuer }: IssuerSpec): string {
  return profile === 'spiffe-jwt' ? trustDomainKey(issuer) : issuer;
}

/** Never equal to the `issuer` of another profile: those are URLs and URNs. */
export function trustDomainKey(id: string): string {
  const parsed = parseSpiffeId(id);
  return parsed === undefined ? '' : `spiffe://${parsed.trustDomain}`;
}

/**
 * The documents by `issuerKey`. The lead is a document with roles before one without, so that nobody who may only
 * declare issuers without roles decides about its keys; then one that is not `changed`; then the first by name.
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

/** Where documents of one issuer contradict their lead, one fault a member. */
export function termFaults({ lead, documents }: IssuerGroup): TermFault[] {
  return documents.flatMap((document) =>
    membersOf(lead.spec, document.spec)
      .filter((member) => termOf(document.spec, member) !== termOf(lead.spec, member))
      .map((member) => ({ document, lead, member })),
  );
}

/** Says what to change, for the author of the document. */
export function describeTermFault({ document, lead, member }: TermFault): string {
  const change = `\`${lead.name}\` trusts the same issuer with other \`${member}\`; state the same in both`;
  const isAnOperators = lead.spec.roles !== undefined && document.spec.roles === undefined;
  return isAnOperators ? `${change} (those of \`${lead.name}\` count, since it speaks for people)` : change;
}

function membersOf(left: IssuerSpec, right: IssuerSpec): (keyof IssuerSpec)[] {
  const members = new Set([...Object.keys(left), ...Object.keys(right)].filter((name) => !OWN_MEMBERS.includes(name)));
  return [...members] as (keyof IssuerSpec)[];
}

/** A default that is written out says the same as one that is left out. */
function termOf(spec: IssuerSpec, member: keyof IssuerSpec): string {
  return textOf(member === 'replay' ? isSingleUse(spec) : spec[member]);
}

/** The order of algorithms says nothing. */
function textOf(value: unknown): string {
  if (Array.isArray(value)) return canonicalJson([...(value as string[])].sort());
  return value === undefined ? '' : canonicalJson(value as Json);
}
