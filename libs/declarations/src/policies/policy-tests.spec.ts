import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { Problem } from '@mayfly/kernel';
import { parseDeclarations } from '../parse-declarations.js';
import { parsePolicyCases } from './parse-policy-cases.js';
import { PolicyTests } from './policy-tests.js';

const read = (path: string) => readFileSync(new URL(`../../../../${path}`, import.meta.url), 'utf8');
const documents = parseDeclarations('guardrails.yaml', read('config/policies/guardrails.yaml'));
const casesOf = (text: string) => parsePolicyCases('cases.yaml', text);
const refusal = (act: () => unknown): readonly string[] => {
  try {
    act();
    return [];
  } catch (error) {
    return error instanceof Problem ? (error.extensions.errors ?? []).map(({ detail }) => detail) : [String(error)];
  }
};
const POLICY = (text: string) =>
  parseDeclarations(
    'p.yaml',
    JSON.stringify({ kind: 'Policy', metadata: { name: 'p' }, spec: { owner: 'o', policies: { one: text } } }),
  );

describe('PolicyTests', () => {
  it('PolicyTests gives the expected verdict, the policies and the obligations in 200 decision cases', () => {
    const tested = casesOf(read('config/policies/cases/guardrails.yaml')).flatMap((one) =>
      new PolicyTests(documents).run(one),
    );
    expect(tested.filter(({ passed }) => !passed).map(({ name, differences }) => [name, differences])).toEqual([]);
    expect(tested).toHaveLength(200);
    expect(new Set(tested.map(({ verdict }) => verdict.reason))).toEqual(
      new Set(['permitted', 'forbidden', 'not-permitted']),
    );
  });

  it('PolicyTests tells how a verdict differs from the expected one', () => {
    const [cases] = casesOf(`kind: PolicyCases
cases:
  - name: a wrong one
    given: { environment: { incident: true } }
    expect: { outcome: permit, policies: [Policy/other/one], obligations: { lifeSeconds: 5 } }`);
    const [tested] = new PolicyTests(documents).run(cases!);
    expect(tested).toMatchObject({
      ...{ name: 'a wrong one', passed: false },
      differences: [
        'outcome: expected "permit", got "deny"',
        'policies: expected ["Policy/other/one"], got ["Policy/guardrails/incident"]',
        'obligations: expected {"lifeSeconds":5}, got {}',
      ],
    });
  });

  it('PolicyTests takes the switches that documents declare, unless the case gives others', () => {
    const declared = parseDeclarations(
      'p.yaml',
      JSON.stringify({
        ...{ kind: 'Policy', metadata: { name: 'p' } },
        spec: {
          ...{ owner: 'o', environment: { freeze: true } },
          policies: { one: 'forbid(principal, action, resource) when { context.environment.freeze };' },
        },
      }),
    );
    const [cases] = casesOf(`kind: PolicyCases
cases:
  - { name: as declared, expect: { outcome: deny } }
  - { name: switched off, given: { environment: { freeze: false } }, expect: { outcome: permit } }`);
    expect(new PolicyTests(declared).run(cases!).map(({ passed }) => passed)).toEqual([true, true]);
  });

  it('PolicyTests refuses policies and conditions that could not be published, with line and column', () => {
    expect(refusal(() => new PolicyTests(POLICY('permit(principal,\n  action)')))).toEqual([
      expect.stringMatching(/^Policy\/p: spec\.policies\.one: line 2, column \d+: /),
    ]);
    const template = documents.find(({ kind }) => kind === 'TaskTemplate');
    const conditions = { odd: 'permit(principal, action, resource in Template::"x");' };
    const changed = { ...template, spec: { ...template?.spec, conditions } } as (typeof documents)[number];
    expect(refusal(() => new PolicyTests([changed]))).toEqual([
      expect.stringContaining(
        'TaskTemplate/export-report: spec.conditions.odd: conditions hold for their own template',
      ),
    ]);
  });
});

describe('parsePolicyCases', () => {
  it.each([
    ['another kind', 'kind: Policy\ncases: []', 'cases.yaml:1: kind: '],
    ['no cases', 'kind: PolicyCases\ncases: []', 'cases.yaml:2: cases: '],
    [
      'an input that policies cannot read',
      'kind: PolicyCases\ncases:\n  - name: a\n    given: { hour: 3 }\n    expect: { outcome: permit }',
      'cases.yaml:4: cases[0].given: ',
    ],
    [
      'a verdict that is none',
      'kind: PolicyCases\ncases:\n  - name: a\n    expect: { outcome: maybe }',
      'cases.yaml:4: cases[0].expect.outcome: ',
    ],
    [
      'a negative number of uses',
      'kind: PolicyCases\ngiven:\n  usesLeft: -1\ncases:\n  - { name: a, expect: { outcome: deny } }',
      'cases.yaml:3: given.usesLeft: ',
    ],
    ['a text that is no YAML', 'kind: [', 'cases.yaml:1: '],
  ])('parsePolicyCases refuses %s with its line', (_, text, start) => {
    expect(refusal(() => casesOf(text))).toContainEqual(expect.stringContaining(start));
  });
});
