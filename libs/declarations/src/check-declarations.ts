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
import { refuseInvalid } from './invalid-declaration.js';
import { findFullSlices, findPolicyFaults, type PolicyCheck } from './policies/policy-faults.js';

/** The facts of the service that declarations are checked against. */
export interface DeclarationContext {
  readonly providers: readonly AnyProvider[];
  /** the guard on the addresses of issuers' keys */
  readonly egress: PublicEgress;
  /** refuses references to the service's own secrets */
  readonly secretFault: SecretFault;
  /** judges policies and conditions; where it is absent, they are refused */
  readonly policies?: PolicyCheck;
}

/** The result of a check without errors. */
export interface CheckedDeclarations {
  /** the same documents in the order of applying */
  readonly ordered: readonly Declaration[];
  /** warnings, and the linter's remarks, each as `Kind/name: path: rule: detail` */
  readonly warnings: readonly FieldError[];
}

/**
 * Checks new documents, and the documents that depend on them, against each other and the rest. `all` is the whole
 * future state: the declared documents that stay, and the new ones. `changed` are the new ones, and `differing` those
 * of them that are not the same as the declared ones. A check of one document costs little however many stay. Throws
 * `invalid_declaration`; each detail starts with `Kind/name: path:`, and each pointer points into that document.
 */
export function checkDeclarations(
  all: readonly Declaration[],
  context: DeclarationContext,
  changed: readonly Declaration[] = all,
  differing: readonly Declaration[] = changed,
): CheckedDeclarations {
  const issuers = checkIssuers(all, context, new Set(changed));
  const agents = affectedAgents(all, changed, differing);
  const lint = lintTemplates(affectedTemplates(all, changed, differing), all, context);
  const errors = [
    ...findDoubles(changed),
    ...issuers.errors,
    ...ofKind('Connection', changed).flatMap((connection) =>
      located(connection, findConnectionFaults(connection.spec, context)),
    ),
    ...checkPolicies(all, changed, context),
    ...checkAgents(agents, all),
    ...lint.filter(({ isError }) => isError).map(({ error }) => error),
  ];
  refuseInvalid(errors);
  const warnings = [...issuers.warnings, ...warnOfAgents(agents, all), ...lint.map(({ error }) => error)];
  return { ordered: inApplyOrder(all), warnings };
}

/** Judges new policies, and how many of them each template would have. */
export function checkPolicies(
  all: readonly Declaration[],
  changed: readonly Declaration[],
  { policies }: Pick<DeclarationContext, 'policies'>,
): FieldError[] {
  const faults = ofKind('Policy', changed).flatMap((policy) =>
    located(policy, findPolicyFaults(policy.spec, policies)),
  );
  if (faults.length > 0) return faults;
  return findFullSlices(all, changed, policies).flatMap(({ declared, error }) => located(declared, [error]));
}

/** Adds the document to errors whose pointers were relative to its `spec`. */
function located(declared: Declaration, errors: readonly FieldError[]): FieldError[] {
  return errors.map(({ pointer, detail }) => {
    const whole = `/spec${pointer}`;
    const document = `${declared.kind}/${declared.metadata.name}`;
    return { pointer: whole, detail: `${document}: ${dottedPath(pathOf(whole))}: ${detail}` };
  });
}

/** Returns the new agents, and those with an identity of an issuer that differs. */
function affectedAgents(
  all: readonly Declaration[],
  changed: readonly Declaration[],
  differing: readonly Declaration[],
): DeclarationOf<'Agent'>[] {
  const isNew = new Set<Declaration>(changed);
  const issuers = new Set(ofKind('Issuer', differing).map(({ metadata }) => metadata.name));
  const isAffected = ({ spec }: DeclarationOf<'Agent'>): boolean =>
    issuers.size > 0 && spec.identities.some(({ issuer }) => issuers.has(issuer));
  return ofKind('Agent', all).filter((agent) => isNew.has(agent) || isAffected(agent));
}

/**
 * Returns the new templates, and those that mention a connection that differs: in a scope, or as a parameter of one.
 */
function affectedTemplates(
  all: readonly Declaration[],
  changed: readonly Declaration[],
  differing: readonly Declaration[],
): DeclarationOf<'TaskTemplate'>[] {
  const isNew = new Set<Declaration>(changed);
  const quoted = ofKind('Connection', differing).map(({ metadata }) => JSON.stringify(metadata.name));
  const mentions = ({ spec }: DeclarationOf<'TaskTemplate'>): boolean => {
    if (quoted.length === 0) return false;
    const text = JSON.stringify(spec.credentials) + JSON.stringify(spec.parameters);
    return quoted.some((name) => text.includes(name));
  };
  return ofKind('TaskTemplate', all).filter((template) => isNew.has(template) || mentions(template));
}

function findDoubles(documents: readonly Declaration[]): FieldError[] {
  const seen = new Set<string>();
  return documents.flatMap(({ kind, metadata: { name } }) => {
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

function checkAgents(agents: readonly DeclarationOf<'Agent'>[], all: readonly Declaration[]): FieldError[] {
  if (agents.length === 0) return [];
  const issuers = issuersByName(all);
  const conflicts = conflictsOf(agents, all, issuers);
  const affected = new Set(agents);
  return ofKind('Agent', all).flatMap((agent) => [
    ...(affected.has(agent) ? located(agent, agentIdentityErrors(agent.spec, issuers)) : []),
    ...(conflicts.get(agent.metadata.name) ?? []).flatMap((conflict) =>
      located(agent, [describeConflict(conflict, agent.spec)]),
    ),
  ]);
}

/** Returns the conflicts of these agents' bindings with each other and all others, by the name of the second agent. */
function conflictsOf(
  agents: readonly DeclarationOf<'Agent'>[],
  all: readonly Declaration[],
  issuers: ReadonlyMap<string, IssuerSpec>,
): ReadonlyMap<string, readonly BindingConflict[]> {
  const keyOf = (name: string): string => {
    const spec = issuers.get(name);
    return spec === undefined ? name : issuerKey(spec);
  };
  const affected = new Set(agents.map(({ metadata }) => metadata.name));
  const bindings = ofKind('Agent', all).flatMap(({ metadata, spec }) => bindingsOf(metadata.name, spec));
  const byAgent = new Map<string, BindingConflict[]>();
  for (const conflict of findBindingConflicts(bindings, keyOf, ({ agent }) => affected.has(agent))) {
    const { agent } = conflict.second;
    byAgent.set(agent, [...(byAgent.get(agent) ?? []), conflict]);
  }
  return byAgent;
}

function warnOfAgents(agents: readonly DeclarationOf<'Agent'>[], all: readonly Declaration[]): FieldError[] {
  const issuers = issuersByName(all);
  return agents.flatMap((agent) => located(agent, warnOfClaimsAlone(agent.spec, issuers)));
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

function lintTemplates(
  templates: readonly DeclarationOf<'TaskTemplate'>[],
  all: readonly Declaration[],
  { providers, policies }: DeclarationContext,
) {
  if (templates.length === 0) return [];
  const connections = ofKind('Connection', all).map(({ metadata, spec }) => ({ name: metadata.name, spec }));
  const facts = lintFactsOf(providers, connections, policies);
  return templates.flatMap((template) =>
    lintTemplate(template.spec, facts).flatMap(({ rule, severity, pointer, detail }) =>
      located(template, [{ pointer, detail: `${rule}: ${detail}` }]).map((error) => ({
        error,
        isError: severity === 'error',
      })),
    ),
  );
}
