import { describe, expect, it } from '@jest/globals';
import type { Json } from '@mayfly/kernel';
import fc from 'fast-check';
import { isMultiple } from './decimal.js';
import { compileParameters } from './parameter-schema.js';
import { refusalOf } from './refusal.fixture.js';

const closed = (schema: Json) =>
  compileParameters({
    type: 'object',
    properties: { amount: schema },
    required: ['amount'],
    additionalProperties: false,
  });
const money = closed({ type: 'number', minimum: 0, maximum: 1000, multipleOf: 0.01 });

describe('multipleOf', () => {
  it.each([0, 0.3, 10, 19.99, 8.69, 0.94, 143.48, 1.1, 4.35, 1000])('multipleOf 0.01 accepts %d', (amount) => {
    expect(money.validate({ amount })).toEqual({ amount });
  });

  it.each([0.001, 19.999, 8.6900001, 100.00000000000001, 0.010000000000000002, 5e-324])(
    'multipleOf 0.01 refuses %d, and names the parameter and the step',
    (amount) => {
      expect(refusalOf(() => money.validate({ amount })).errors).toEqual([
        { pointer: '/parameters/amount', detail: 'must be multiple of 0.01' },
      ]);
    },
  );

  it.each<[Json, number, boolean]>([
    [1e-9, 1e13, true],
    [1e-7, 3e-7, true],
    [1e-7, 3.5e-7, false],
    [3, 9007199254740990, true],
    [2, 9007199254740991, false],
    [1e-300, 0.5, true],
    [7e-300, 0.5, false],
  ])('multipleOf judges %d with the step %d as %s, with any exponents', (multipleOf, amount, isTaken) => {
    const schema = closed({
      type: 'number',
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      multipleOf: multipleOf as number,
    });
    expect(schema.takes('amount', amount)).toBe(isTaken);
  });

  it('multipleOf takes every multiple in decimals, and nothing beside it, of any step', () => {
    const step = fc.record({ digits: fc.integer({ min: 1, max: 9_999 }), places: fc.integer({ min: 0, max: 6 }) });
    fc.assert(
      fc.property(step, fc.integer({ min: -99_999, max: 99_999 }), ({ digits, places }, times) => {
        const decimal = (units: number, at: number): number => Number(`${String(units)}e-${String(at)}`);
        expect(isMultiple(decimal(digits * times, places), decimal(digits, places))).toBe(true);
        expect(isMultiple(decimal(digits * times * 10 + 1, places + 1), decimal(digits, places))).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('other keywords that numbers pass', () => {
  it.each<[string, Json, string, boolean]>([
    ['minimum', { type: 'number', minimum: 1, maximum: 9 }, '0.9999999999999999', false],
    ['maximum', { type: 'number', minimum: 0, maximum: 1 }, '1.0000000000000002', false],
    ['maximum', { type: 'number', minimum: 0, maximum: 100 }, '1e2', true],
    ['enum', { type: 'number', enum: [1, 100] }, '1.0', true],
    ['enum', { type: 'number', enum: [1, 100] }, '1e2', true],
    ['enum', { type: 'number', enum: [0] }, '-0', true],
    ['enum', { type: 'number', enum: [1] }, '1.0000000000000002', false],
    ['const', { type: 'integer', const: 100 }, '1e2', true],
    ['uniqueItems', { type: 'array', maxItems: 3, uniqueItems: true, items: { enum: [1, 2] } }, '[1, 1.0]', false],
    [
      'uniqueItems',
      {
        type: 'array',
        maxItems: 3,
        uniqueItems: true,
        items: { type: 'number', minimum: 0, maximum: 100, multipleOf: 0.1 },
      },
      '[100, 1e2]',
      false,
    ],
    [
      'uniqueItems',
      { type: 'array', maxItems: 3, uniqueItems: true, items: { type: 'number', minimum: 0, maximum: 1 } },
      '[0.1, 0.30000000000000004, 0.3]',
      true,
    ],
    ['integer', { type: 'integer', minimum: 0, maximum: 9 }, '1.0', true],
    ['integer', { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER }, '9007199254740993', false],
    ['integer', { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER }, '1e400', false],
  ])('the keyword %s %j judges %s: %s', (_, schema, text, isTaken) => {
    const value = JSON.parse(`{"amount": ${text}}`) as Json;
    const act = () => closed(schema).validate(value);
    if (isTaken) expect(act()).toBe(value);
    else expect(refusalOf(act).code).toBe('invalid_parameters');
  });

  it.each<[string, string]>([
    ['maximum', '{"type":"integer","minimum":0,"maximum":9007199254740993}'],
    ['enum', '{"enum":[9007199254740993]}'],
    ['const', '{"const":9007199254740993}'],
    ['multipleOf', '{"type":"integer","minimum":0,"maximum":9,"multipleOf":9007199254740993}'],
  ])('the keyword %s with more than 2^53 is refused in a template', (_, schema) => {
    expect(refusalOf(() => closed(JSON.parse(schema) as Json)).code).toBe('invalid_template');
  });
});
