import type { AnyProvider, SecretFault } from '@mayfly/credentials';
import type { PublicEgress } from '@mayfly/egress';
import {
  agentIdentityErrors,
  bindingsOf,
  findBindingConflicts,
  issuerKey,
  type AgentBinding,
  type AgentSpec,
  type BindingConflict,
  type IssuerSpec,
} from '@mayfly/identity';
import { canonicalJson, type FieldError, type Json } from '@mayfly/kernel';
import { lintTemplate } from '@mayfly/templates';
import { warnOfClaimsAlone } from './agent-warnings.js';
import { findConnectionFaults } from './connection-faults.js';
import { dottedPath, pathOf } from './document-path.js';
import { inApplyOrder, ofKind, type Declaration, type DeclarationOf } from './document.schema.js';
import { findIssuerFaults } from './issuer-faults.js';
import { lintFactsOf } from './lint-facts.js';
import { invalidDeclaration } from './invalid-declaration.js';

/** The facts of the service that declarations are checked against. */
export interface DeclarationContext {
  readonly providers: readonly AnyProvider[];
  /** the guard on the addresses of issuers' keys */
  readonly egress: PublicEgress;
  /** refuses references to the service's own secrets */
  readonly secretFault: SecretFault;
}

export interface CheckedDeclarations {
  /** the same documents in the order of applying */
  readonly ordered: readonly Declaration[];
  /** warnings, and the linter's remarks, each as `Kind/name: path: rule: detail` */
  readonly warnings: readonly FieldError[];
}

/**
 * Checks documents against each other. `all` is the whole future state: the declared documents that stay, and the new
 * ones. `changed` are the new ones. Throws `invalid_declaration`; each detail starts with `Kind/name: path:`, and each
 * pointer points into that document.
 */
export function checkDeclarations(
  all: readonly Declaration[],
  context: DeclarationContext,
  changed: readonly Declaration[] = all,
): CheckedDeclarations {
  const issuers = checkIssuers(all, context, new Set(changed));
  const lint = lintTemplates(all, context);
  const errors = [
    ...findDoubles(all),
    ...issuers.errors,
    ...ofKind('Connection', all).flatMap((connection) =>
      located(connection, findConnectionFaults(connection.spec, context)),
    ),
    ...checkAgents(all),
    ...lint.filter(({ isError }) => isError).map(({ error }) => error),
  ];
  if (errors.length > 0) throw invalidDeclaration(errors);
  const warnings = [...issuers.warnings, ...warnOfAgents(all), ...lint.map(({ error }) => error)];
  return { ordered: inApplyOrder(all), warnings };
}

/** Adds the document to errors whose pointers were relative to its `spec`. */
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

function checkIssuers(
  all: readonly Declaration[],
  context: DeclarationContext,
  changed: ReadonlySet<Declaration>,
): { readonly errors: FieldError[]; readonly warnings: FieldError[] } {
  const faults = findIssuerFaults(ofKind('Issuer', all), context, (issuer) => changed.has(issuer));
  const placed = faults.flatMap(({ document, isWarning, ...error }) =>
    located(document, [error]).map((found) => ({ found, isWarning })),
  );
  const pick = (wanted: boolean) => placed.filter(({ isWarning }) => isWarning === wanted).map(({ found }) => found);
  return { errors: pick(false), warnings: pick(true) };
}

function checkAgents(all: readonly Declaration[]): FieldError[] {
  const agents = ofKind('Agent', all);
  const issuers = issuersByName(all);
  const keyOf = (name: string): string => {
    const spec = issuers.get(name);
    return spec === undefined ? name : issuerKey(spec);
  };
  const bindings = agents.flatMap(({ metadata, spec }) => bindingsOf(metadata.name, spec));
  const conflicts = findBindingConflicts(bindings, keyOf);
  return agents.flatMap((agent) => [
    ...located(agent, agentIdentityErrors(agent.spec, issuers)),
    ...conflicts
      .filter(({ second }) => second.agent === agent.metadata.name)
      .flatMap((conflict) => located(agent, [describeConflict(conflict, agent.spec)])),
  ]);
}

function warnOfAgents(all: readonly Declaration[]): FieldError[] {
  const issuers = issuersByName(all);
  return ofKind('Agent', all).flatMap((agent) => located(agent, warnOfClaimsAlone(agent.spec, issuers)));
}

function issuersByName(all: readonly Declaration[]): ReadonlyMap<string, IssuerSpec> {
  return new Map(ofKind('Issuer', all).map(({ metadata, spec }) => [metadata.name, spec]));
}

function describeConflict({ first, second }: BindingConflict, spec: AgentSpec): FieldError {
  const wanted = canonicalJson(identityOf(second));
  const at = spec.identities.findIndex((identity) => canonicalJson(identityOf(identity)) === wanted);
  const holder = `agent \`${first.agent}\` in \`${first.runtime}\``;
  const pointer = `/identities/${String(at)}/${second.subject === undefined ? 'claims' : 'subject'}`;
  if (second.subject !== undefined)
    return { pointer, detail: `${holder} has this identity too; bind it to one agent only` };
  return {
    pointer,
    detail: `one token can match these claims and those of ${holder}; bind both to one claim with different values`,
  };
}

function identityOf({ issuer, subject, runtime, claims = {} }: Omit<AgentBinding, 'agent'>): Json {
  return { issuer, subject: subject ?? null, runtime, claims };
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
