import { describeTermFault, groupIssuers, issuerEgressErrors, termFaults, type TermFault } from '@mayfly/identity';
import type { SecretFault } from '@mayfly/credentials';
import type { PublicEgress } from '@mayfly/egress';
import type { FieldError } from '@mayfly/kernel';
import type { DeclarationOf } from './document.schema.js';
import { findIssuerFileFaults } from './issuer-files.js';

type IssuerDocument = DeclarationOf<'Issuer'>;

/** A fault of one document; its pointer is relative to the spec. A warning blocks nothing. */
export interface IssuerFault extends FieldError {
  readonly document: IssuerDocument;
  readonly isWarning: boolean;
}

/**
 * Returns the faults of issuers: URLs and files that the service may not read, contradictions between documents of one
 * issuer, and role claims that are probably mistyped. An unchanged document without roles never blocks a change of the
 * one with roles: it gets a warning, and is out of force until it agrees.
 */
export function findIssuerFaults(
  documents: readonly IssuerDocument[],
  { egress, secretFault }: { readonly egress: PublicEgress; readonly secretFault: SecretFault },
  isChanged: (document: IssuerDocument) => boolean,
): IssuerFault[] {
  const entries = documents.map((document) => ({ name: document.metadata.name, spec: document.spec, document }));
  const groups = groupIssuers(entries, ({ name }) =>
    entries.some((entry) => entry.name === name && isChanged(entry.document)),
  );
  const faults = [...groups.values()].flatMap(termFaults);
  return entries.flatMap(({ document, ...issuer }) => [
    ...[...issuerEgressErrors(issuer.spec, egress), ...findIssuerFileFaults(issuer.spec, secretFault)].map((error) => ({
      ...{ ...error, document, isWarning: false },
    })),
    ...faults
      .filter((fault) => fault.document.name === issuer.name)
      .map((fault) => describe(fault, document, isChanged(document))),
    ...dottedClaims(document),
  ]);
}

function describe(fault: TermFault, document: IssuerDocument, isChanged: boolean): IssuerFault {
  const { lead, member } = fault;
  const isWarning = !isChanged && lead.spec.roles !== undefined && document.spec.roles === undefined;
  const detail = `${describeTermFault(fault)}${isWarning ? '; this document is out of force until then' : ''}`;
  return { pointer: `/${member}`, detail, document, isWarning };
}

/** A dot in a claim's name is no separator, and hardly any token has a claim with such a name. */
function dottedClaims(document: IssuerDocument): IssuerFault[] {
  return Object.entries(document.spec.roles ?? {}).flatMap(([role, rule]) => {
    const { claim } = rule;
    if (!/^[^/:]+\.[^/:]+$/.test(claim)) return [];
    const detail = `this is the name of one top-level claim; for a claim within a claim write \`/${claim.replaceAll('.', '/')}\``;
    return [{ pointer: `/roles/${role}/claim`, detail, document, isWarning: true }];
  });
}
