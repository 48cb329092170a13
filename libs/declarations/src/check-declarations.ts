import type { AnyProvider, SecretFault } from '@mayfly/credentials';
import type { PublicEgress } from '@mayfly/egress';
import {
  agentIdentityErrors,
  bindingsOf,
  findBindingConflicts,
  issuerEgressErrors,
  issuerKey,
  type AgentSpec,
  type BindingConflict,
  type IssuerSpec,
} from '@mayfly/identity';
import type { FieldError } from '@mayfly/kernel';
import { lintTemplate } from '@mayfly/templates';
import { findConnectionFaults } from './connection-faults.js';
import { dottedPath, pathOf } from './document-path.js';
import { inApplyOrder, ofKind, type Declaration, type DeclarationOf } from './document.schema.js';
import { findIssuerFileFaults } from './issuer-files.js';
import { lintFactsOf } from './lint-facts.js';
import { invalidDeclaration } from './invalid-declaration.js';

/** What the service can do, for declarations to be held against. */
export interface DeclarationContext {
  readonly providers: readonly AnyProvider[];
  /** where issuers' keys may be fetched from */
  readonly egress: PublicEgress;
  /** which references may not be declared */
  readonly secretFault: SecretFault;
}

export interface CheckedDeclarations {
  /** the same documents in the order in which they are to be applied */
  readonly ordered: readonly Declaration[];
  /** what the linter warns of, each as `Kind/name: path: rule: what` */
  readonly warnings: readonly FieldError[];
}

/**
 * Checks what documents say of each other. `all` is the whole state as it would be: what is declared and stays, with what
 * is new. Throws `invalid_declaration`; the details start with `Kind/name: path:`, pointers lead into that document.
 */
export function checkDeclarations(all: readonly Declaration[], context: DeclarationContext): CheckedDeclarations {
  const lint = lintTemplates(all, context);
  const errors = [
    ...findDoubles(all),
    ...checkIssuers(all, context),
    ...ofKind('Connection', all).flatMap((connection) =>
      located(connection, findConnectionFaults(connection.spec, context)),
    ),
    ...checkAgents(all),
    ...lint.filter(({ isError }) => isError).map(({ error }) => error),
  ];
  if (errors.length > 0) throw invalidDeclaration(errors);
  return { ordered: inApplyOrder(all), warnings: lint.map(({ error }) => error) };
}

/** The errors with the document that they are in; their pointers were relative to its `spec`. */
function located(declared: Declaration, errors: readonly FieldError[]): FieldError[] {
  return errors.map(({ pointer, detail }) => {
    const whole = `/spec${pointer}`;
    const document = `${declared.kind}/${declared.metadata.name}`;
    return { pointer: whole, detail: `${document}: ${dottedPath(pathOf(whole))}: ${detail}` };
  });
}

function findDoubles(all: readonly Declaration[]): FieldError[] {
  const seen = new Set<string>();
  return all.flatMap(({ kind, metadata: { name } }) => {
    const key = `${kind}/${name}`;
    if (!seen.has(key)) {
      seen.add(key);
      return [];
    }
    return [{ pointer: '/metadata/name', detail: `${key}: metadata.name: declared twice; give one another name` }];
  });
}

function checkIssuers(all: readonly Declaration[], { egress, secretFault }: DeclarationContext): FieldError[] {
  const holders = new Map<string, string>();
  return ofKind('Issuer', all).flatMap((issuer) => {
    const key = issuerKey(issuer.spec);
    const holder = holders.get(key);
    holders.set(key, issuer.metadata.name);
    const twice = { pointer: '/issuer', detail: `\`${String(holder)}\` trusts this issuer already; declare it once` };
    return located(issuer, [
      ...issuerEgressErrors(issuer.spec, egress),
      ...findIssuerFileFaults(issuer.spec, secretFault),
      ...(holder === undefined ? [] : [twice]),
    ]);
  });
}

function checkAgents(all: readonly Declaration[]): FieldError[] {
  const agents = ofKind('Agent', all);
  const issuers = new Map<string, IssuerSpec>(ofKind('Issuer', all).map(({ metadata, spec }) => [metadata.name, spec]));
  const bindings = agents.flatMap(({ metadata, spec }) => bindingsOf(metadata.name, spec));
  const conflicts = findBindingConflicts(bindings);
  return agents.flatMap((agent) => [
    ...located(agent, agentIdentityErrors(agent.spec, issuers)),
    ...conflicts
      .filter(({ second }) => second.agent === agent.metadata.name)
      .flatMap((conflict) => located(agent, [describeConflict(conflict, agent.spec)])),
  ]);
}

function describeConflict({ first, second }: BindingConflict, spec: AgentSpec): FieldError {
  const at = spec.identities.findIndex(
    ({ issuer, subject, runtime }) =>
      issuer === second.issuer && subject === second.subject && runtime === second.runtime,
  );
  const detail = `agent \`${first.agent}\` in \`${first.runtime}\` has this identity too; one identity, one agent`;
  return { pointer: `/identities/${String(at)}/subject`, detail };
}

function lintTemplates(all: readonly Declaration[], { providers }: DeclarationContext) {
  const connections = ofKind('Connection', all).map(({ metadata, spec }) => ({ name: metadata.name, spec }));
  const facts = lintFactsOf(providers, connections);
  return ofKind('TaskTemplate', all).flatMap((template: DeclarationOf<'TaskTemplate'>) =>
    lintTemplate(template.spec, facts).flatMap(({ rule, severity, pointer, detail }) =>
      located(template, [{ pointer, detail: `${rule}: ${detail}` }]).map((error) => ({
        error,
        isError: severity === 'error',
      })),
    ),
  );
}
