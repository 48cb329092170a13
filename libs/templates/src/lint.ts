import { checkCounting, checkCredential } from './credential-rules.js';
import { below } from './json-pointer.js';
import { checkHoles, type HoleRules } from './hole-rules.js';
import type { LintFacts, ProviderFact } from './lint-facts.js';
import { ParameterSchema, readParameters } from './parameter-schema.js';
import { finding, type Finding } from './rule.js';
import { readScope } from './scope-parser.js';
import { checkRenderings } from './scope-rules.js';
import { holesOf } from './scope-node.js';
import { checkSpec } from './spec-rules.js';
import type { TaskTemplateSpec, TemplateCredential } from './task-template.schema.js';

/**
 * Returns all findings on a template, in the order of the spec; never throws. A template with an `error` must not be
 * published; `refuseErrors` turns findings into the problem `invalid_template`.
 */
export function lintTemplate(spec: TaskTemplateSpec, facts: LintFacts): Finding[] {
  const found = [...checkSpec(spec), ...checkConditions(spec, facts)];
  const parameters = readParameters(spec.parameters, '/parameters');
  const places = spec.credentials.map((credential, index) => ({ credential, pointer: below('/credentials', index) }));
  for (const { credential, pointer } of places) {
    found.push(
      ...checkCredential(credential, spec.lifetime, facts, pointer),
      ...checkCounting(spec, credential, facts, pointer),
    );
  }
  if (!(parameters instanceof ParameterSchema)) return [...found, ...parameters];
  const scopes = places.map(({ credential, pointer }) =>
    checkScope(credential, parameters, facts, below(pointer, 'scope')),
  );
  const used = new Set(scopes.flatMap(({ holes }) => holes));
  const unused = scopes.every(({ isRead }) => isRead) ? parameters.names.filter((name) => !used.has(name)) : [];
  return [
    ...found,
    ...unused.map((name) =>
      finding('MF108', below('/parameters/properties', name), 'no scope uses this parameter; leave it out'),
    ),
    ...scopes.flatMap(({ findings }) => findings),
  ];
}

/** Rule MF401: conditions are policies, and are judged as such. */
function checkConditions({ conditions }: TaskTemplateSpec, facts: LintFacts): Finding[] {
  if (conditions === undefined) return [];
  return facts
    .faultsOfConditions(conditions)
    .map(({ id, detail }) => finding('MF401', below('/conditions', id), detail));
}

function checkScope(credential: TemplateCredential, parameters: ParameterSchema, facts: LintFacts, pointer: string) {
  const { root, findings: faults } = readScope(credential.scope, parameters, pointer);
  const holes = holesOf(root).map(({ parameter }) => parameter);
  if (faults.length > 0) return { findings: faults, holes, isRead: false };
  const provider = facts.providers.find(({ kind }) => kind === credential.provider);
  const findings = [
    ...checkHoles(root, holeRules(provider, facts), pointer),
    ...checkRenderings(root, parameters, credential, facts, pointer),
  ];
  return { findings, holes, isRead: true };
}

function holeRules(provider: ProviderFact | undefined, facts: LintFacts): HoleRules {
  return {
    isAuthored: (key, members) =>
      provider !== undefined &&
      (provider.authoredMembers?.includes(key) === true || facts.isAuthored(provider.kind, key, members)),
    faultsOfText: (parts) => facts.faultsOfText(parts),
  };
}
