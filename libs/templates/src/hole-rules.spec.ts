import { describe, expect, it } from '@jest/globals';
import type { Json } from '@mayfly/kernel';
import { checkHoles, type HoleRules } from './hole-rules.js';
import { compileParameters } from './parameter-schema.js';
import { readScope } from './scope-parser.js';

const parameters = compileParameters({
  type: 'object',
  properties: {
    free: { type: 'string', maxLength: 12 },
    region: { enum: ['eu-central-1', 'eu-west-1'] },
  },
  required: ['free', 'region'],
  additionalProperties: false,
});
const param = (name: string): Json => ({ $param: name });
const rulesOf = (scope: Json, rules: Partial<HoleRules>): string[] => {
  const { root, findings } = readScope(scope, parameters, '');
  expect(findings).toEqual([]);
  return checkHoles(root, { isAuthored: () => false, faultsOfText: () => [], ...rules }, '').map(
    ({ rule, pointer, detail }) => `${rule} ${pointer} ${detail}`,
  );
};

describe('a hole in a text', () => {
  it('a hole in a text is refused with the text of the provider that knows the grammar', () => {
    const faultsOfText: HoleRules['faultsOfText'] = ([first]) =>
      first === 'urn:' ? ['`free` reaches into the namespace'] : [];
    const scope = { a: [{ $join: ['urn:', param('free')] }, { $join: ['repo:', param('free')] }] };
    expect(rulesOf(scope, { faultsOfText })).toEqual(['MF210 /a/0 `free` reaches into the namespace']);
  });
});

describe("a member that is the author's", () => {
  const isAuthored: HoleRules['isAuthored'] = (key) => key === 'Action';
  const statements = (action: Json): Json => ({ policy: { Statement: [{ Action: [action] }] } });

  it('a member that is reserved for the author takes no free parameter at any depth, and takes a listed one', () => {
    expect(rulesOf(statements({ $join: ['s3:', param('free')] }), { isAuthored })).toEqual([
      'MF211 /policy/Statement/0/Action `free` is unrestricted and sets `Action`; list its values with `enum`',
    ]);
    expect(rulesOf(statements(param('region')), { isAuthored })).toEqual([]);
    expect(rulesOf(statements({ $join: ['s3:', param('free')] }), {})).toEqual([]);
  });

  it('a member may be reserved for the author by the members next to it', () => {
    const besideFixed: HoleRules['isAuthored'] = (key, members) =>
      key === 'b' && members.some(([name, node]) => name === 'a' && node.kind === 'fixed');
    expect(rulesOf({ a: 'x', b: param('free') }, { isAuthored: besideFixed })).toHaveLength(1);
    expect(rulesOf({ a: param('region'), b: param('free') }, { isAuthored: besideFixed })).toEqual([]);
  });
});
