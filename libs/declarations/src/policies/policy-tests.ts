import { type FieldError, present } from '@mayfly/kernel';
import {
  type DeclaredPolicy,
  PoliciesInForce,
  PolicyEngine,
  type PolicyInput,
  type PolicyVerdict,
} from '@mayfly/policy';
import { checkPolicies } from '../check-declarations.js';
import { ofKind, type Declaration, type DeclarationOf } from '../document.schema.js';
import { refuseInvalid } from '../invalid-declaration.js';
import { findConditionFaults } from './policy-faults.js';
import type { ExpectedVerdict, GivenInputs, PolicyCase, PolicyCases } from './policy-cases.schema.js';

/** The result of one case. */
export interface TestedCase {
  readonly name: string;
  readonly passed: boolean;
  /** how the verdict differs from the expected one */
  readonly differences: readonly string[];
  readonly verdict: PolicyVerdict;
}

/** The usual request, for what no case and no file gives. */
const USUAL = {
  agent: { name: 'agent', labels: {}, runtime: 'runtime', issuer: 'issuer' },
  template: { name: 'template', version: 1, owner: 'owner', labels: {}, connections: [], providers: [] },
  at: '2026-01-01T12:00:00.000Z',
} as const;

/**
 * Decides each case with these documents, as a broker would that had them in force. Of a template among the documents, its
 * labels, owner, connections and conditions are those of its document, unless the case gives others.
 */
export class PolicyTests {
  private readonly declared: readonly DeclaredPolicy[];
  private readonly templates: ReadonlyMap<string, DeclarationOf<'TaskTemplate'>>;
  /** the policies in force under each setting of the switches */
  private readonly inForce = new Map<string, PoliciesInForce>();

  /** Throws `invalid_declaration` for policies and conditions that could not be published. */
  constructor(
    documents: readonly Declaration[],
    private readonly engine = new PolicyEngine(),
  ) {
    refuseInvalid([
      ...conditionFaults(documents, engine),
      ...checkPolicies(documents, documents, { policies: engine }),
    ]);
    this.declared = ofKind('Policy', documents).map(({ metadata, spec }) => ({ name: metadata.name, spec }));
    this.templates = new Map(ofKind('TaskTemplate', documents).map((template) => [template.metadata.name, template]));
  }

  run({ given = {}, cases }: PolicyCases): readonly TestedCase[] {
    return cases.map((one) => this.runOne(given, one));
  }

  private runOne(common: GivenInputs, { name, given = {}, expect }: PolicyCase): TestedCase {
    const inputs = merged(common, given);
    const template = this.templates.get(inputs.template?.name ?? USUAL.template.name);
    const policies = this.under(inputs.environment);
    const verdict = policies.decide(inputOf(inputs, template), { conditions: template?.spec.conditions });
    const differences = differencesOf(expect, verdict);
    return { name, passed: differences.length === 0, differences, verdict };
  }

  /** Returns the policies in force; the switches of a case take the place of those that documents declare. */
  private under(environment: GivenInputs['environment']): PoliciesInForce {
    const key = JSON.stringify(environment ?? null);
    const known = this.inForce.get(key);
    if (known !== undefined) return known;
    const switched = ({ name, spec }: DeclaredPolicy): DeclaredPolicy =>
      spec === undefined ? { name, spec } : { name, spec: { policies: spec.policies } };
    const policies =
      environment === undefined
        ? this.declared
        : [...this.declared.map(switched), { name: 'case', spec: { environment, policies: {} } }];
    const made = new PoliciesInForce(this.engine, { policies }, () => undefined);
    this.inForce.set(key, made);
    return made;
  }
}

function conditionFaults(documents: readonly Declaration[], engine: PolicyEngine): FieldError[] {
  return ofKind('TaskTemplate', documents).flatMap(({ metadata, spec }) =>
    findConditionFaults(spec.conditions ?? {}, engine).map(({ id, detail }) => ({
      pointer: `/spec/conditions/${id}`,
      detail: `TaskTemplate/${metadata.name}: spec.conditions.${id}: ${detail}`,
    })),
  );
}

function merged(common: GivenInputs, given: GivenInputs): GivenInputs {
  return {
    ...{ ...common, ...given },
    agent: { ...common.agent, ...given.agent },
    template: { ...common.template, ...given.template },
    ...present({ environment: bothOf(common.environment, given.environment) }),
  };
}

function bothOf<Value extends object>(one: Value | undefined, other: Value | undefined): Value | undefined {
  return one === undefined || other === undefined ? (other ?? one) : { ...one, ...other };
}

function inputOf(inputs: GivenInputs, document: DeclarationOf<'TaskTemplate'> | undefined): PolicyInput {
  const { action = 'request', phase, agent, template, operation, at, approvals, treeDepth } = inputs;
  const { requestedSeconds, usesLeft } = inputs;
  return {
    ...{ action, phase: phase ?? action, at: new Date(at ?? USUAL.at) },
    ...{ approvals: approvals ?? 0, treeDepth: treeDepth ?? 0 },
    agent: { ...USUAL.agent, ...present({ ...agent }) },
    template: {
      ...USUAL.template,
      ...(document === undefined ? {} : declaredOf(document)),
      ...present({ ...template }),
    },
    ...present({ operation, requestedSeconds, usesLeft }),
  };
}

function declaredOf({ metadata, spec }: DeclarationOf<'TaskTemplate'>) {
  return {
    ...{ owner: spec.owner, labels: metadata.labels ?? {} },
    connections: [...new Set(spec.credentials.flatMap(({ connection }) => connection ?? []))],
    providers: [...new Set(spec.credentials.map(({ provider }) => provider))],
  };
}

function differencesOf(expected: ExpectedVerdict, verdict: PolicyVerdict): readonly string[] {
  const compare = (what: string, wanted: unknown, got: unknown): readonly string[] => {
    const [one, other] = [JSON.stringify(wanted), JSON.stringify(got)];
    return one === other ? [] : [`${what}: expected ${one}, got ${other}`];
  };
  const { outcome, policies, obligations } = expected;
  return [
    ...compare('outcome', outcome, verdict.outcome),
    ...(policies === undefined ? [] : compare('policies', policies.toSorted(), verdict.policies)),
    ...(obligations === undefined ? [] : compare('obligations', sorted(obligations), sorted(verdict.obligations))),
  ];
}

function sorted(members: object): object {
  return Object.fromEntries(Object.entries(members).sort(([one], [other]) => (one < other ? -1 : 1)));
}
