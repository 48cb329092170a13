import { describe, expect, it } from '@jest/globals';
import type { Json } from '@mayfly/kernel';
import { compileParameters } from './parameter-schema.js';
import { fill, holesOf, isFilled } from './scope-node.js';
import { readScope } from './scope-parser.js';

const parameters = compileParameters({
  type: 'object',
  properties: { region: { enum: ['emea', 'apac'] }, tenant: { type: 'string', maxLength: 9 } },
  required: ['region', 'tenant'],
  additionalProperties: false,
});
const tree = { fixed: 'x', list: [{ $param: 'region' }, 1], joined: { $join: ['t/', { $param: 'tenant' }] } };
const { root } = readScope(tree, parameters);
const values = { region: 'emea', tenant: 'acme' };
const filled = { fixed: 'x', list: ['emea', 1], joined: 't/acme' };

describe('isFilled', () => {
  it('isFilled knows what fill makes', () => {
    expect(fill(root, values)).toEqual(filled);
    expect(isFilled(root, filled, values)).toBe(true);
    expect(holesOf(root).map(({ parameter }) => parameter)).toEqual(['region', 'tenant']);
  });

  it.each<[string, Json]>([
    ['another fixed value', { ...filled, fixed: '*' }],
    ['a fixed value of another type', { ...filled, list: ['emea', '1'] }],
    ['another value in a hole', { ...filled, list: ['apac', 1] }],
    ['another value in a join', { ...filled, joined: 't/acme/x' }],
    ['a key too many', { ...filled, more: 'x' }],
    ['a key too few', { fixed: 'x', list: ['emea', 1] }],
    ['another key', { fixed: 'x', list: ['emea', 1], others: 't/acme' }],
    ['an item too many', { ...filled, list: ['emea', 1, 2] }],
    ['an item too few', { ...filled, list: ['emea'] }],
    ['an object for a list', { ...filled, list: { 0: 'emea', 1: 1, length: 2 } }],
    ['a list for the root', [filled]],
    ['nothing', null],
  ])('isFilled sees %s', (_, other) => {
    expect(isFilled(root, other, values)).toBe(false);
  });
});
