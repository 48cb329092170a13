import { describe, expect, it } from '@jest/globals';
import type { Json, JsonObject } from '@mayfly/kernel';
import { compileParameters } from './parameter-schema.js';
import { refusalOf } from './refusal.fixture.js';

/** A closed object schema with these properties. */
const closed = (properties: JsonObject, required: string[] = Object.keys(properties)): JsonObject => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});

const whole = closed(
  {
    region: { enum: ['emea', 'apac'] },
    ticket: { type: 'string', pattern: '^[0-9]{1,8}$' },
    note: { type: 'string', maxLength: 20 },
    rows: { type: 'integer', minimum: 1, maximum: 100 },
    tags: { type: 'array', maxItems: 2, uniqueItems: true, items: { enum: ['a', 'b', 'c'] } },
    urgent: { type: 'boolean' },
    period: closed({ from: { type: 'integer', minimum: 0, maximum: 9 } }),
  },
  ['region'],
);

describe('compileParameters', () => {
  it('compileParameters accepts a closed and bounded schema, with or without its dialect', () => {
    expect(compileParameters(whole).names).toContain('region');
    const dialect = 'https://json-schema.org/draft/2020-12/schema';
    expect(compileParameters({ $schema: dialect, ...whole }).isRequired('region')).toBe(true);
  });

  it('compileParameters compiles the same schema twice', () => {
    expect(compileParameters(whole).names).toEqual(compileParameters(whole).names);
  });

  const text = { type: 'string', maxLength: 9 };
  it.each<[string, Json, string, string]>([
    ['a root that is no object', { type: 'array', items: text, maxItems: 1 }, 'MF101', ''],
    ['a list as root', [], 'MF101', ''],
    ['an open root', { type: 'object', properties: { a: text } }, 'MF101', ''],
    ['an open object inside', closed({ a: { type: 'object', properties: {} } }), 'MF101', '/properties/a'],
    ['additional properties by schema', { ...closed({}), additionalProperties: text }, 'MF101', ''],
    ['a reference', closed({ a: { $ref: 'https://evil.example/schema' } }), 'MF103', '/properties/a'],
    ['a reference beside a type', closed({ a: { ...text, $ref: '#' } }), 'MF102', '/properties/a/$ref'],
    ['a combinator', closed({ a: { ...text, anyOf: [{}] } }), 'MF102', '/properties/a/anyOf'],
    ['a default', closed({ a: { ...text, default: 'x' } }), 'MF102', '/properties/a/default'],
    ['pattern properties', { ...closed({}), patternProperties: {} }, 'MF102', '/patternProperties'],
    ['two types', closed({ a: { type: ['string', 'null'] } }), 'MF102', '/properties/a/type'],
    ['a boolean schema', closed({ a: true }), 'MF102', '/properties/a'],
    ['another dialect', { $schema: 'http://json-schema.org/draft-07/schema#', ...closed({}) }, 'MF102', '/$schema'],
    ['a schema that says nothing', closed({ a: {} }), 'MF103', '/properties/a'],
    ['an unbounded text', closed({ a: { type: 'string' } }), 'MF103', '/properties/a'],
    ['a text of 257 characters', closed({ a: { type: 'string', maxLength: 257 } }), 'MF103', '/properties/a'],
    [
      'a pattern with a large bound',
      closed({ a: { type: 'string', pattern: '^a*$', maxLength: 900 } }),
      'MF103',
      '/properties/a',
    ],
    ['an unbounded list', closed({ a: { type: 'array', items: text } }), 'MF103', '/properties/a'],
    ['a list of 101', closed({ a: { type: 'array', items: text, maxItems: 101 } }), 'MF103', '/properties/a'],
    ['a list of anything', closed({ a: { type: 'array', maxItems: 1 } }), 'MF102', '/properties/a/items'],
    ['an unbounded number', closed({ a: { type: 'integer', minimum: 0 } }), 'MF103', '/properties/a'],
    [
      'an unbounded text in a list',
      closed({ a: { type: 'array', maxItems: 1, items: { type: 'string' } } }),
      'MF103',
      '/properties/a/items',
    ],
    ['a loose pattern', closed({ a: { type: 'string', pattern: 'a+' } }), 'MF104', '/properties/a/pattern'],
    [
      'a loose pattern beside an enum',
      closed({ a: { type: 'string', enum: ['a'], pattern: 'a' } }),
      'MF104',
      '/properties/a/pattern',
    ],
    [
      'a reserved name',
      JSON.parse('{"type":"object","properties":{"__proto__":{"enum":["a"]}}}') as Json,
      'MF107',
      '/properties/__proto__',
    ],
    ['a name that objects inherit', closed({ toString: text }), 'MF105', '/properties/toString'],
    ['a name with a slash', closed({ 'a/b': text }), 'MF105', '/properties/a~1b'],
    ['an empty enum', closed({ a: { enum: [] } }), 'MF106', '/properties/a/enum'],
    ['an empty text in an enum', closed({ a: { enum: [''] } }), 'MF106', '/properties/a/enum'],
    ['an object in an enum', closed({ a: { enum: [{ $param: 'a' }] } }), 'MF106', '/properties/a/enum'],
    ['a doubled enum member', closed({ a: { enum: ['a', 'a'] } }), 'MF106', '/properties/a/enum'],
    ['a bidi override in an enum', closed({ a: { enum: ['a\u202eb'] } }), 'MF106', '/properties/a/enum'],
    ['an enum of another type', closed({ a: { type: 'string', enum: [1] } }), 'MF106', '/properties/a/enum'],
    ['a fraction in an enum', closed({ a: { enum: [0.5] } }), 'MF106', '/properties/a/enum'],
    ['a null constant', closed({ a: { const: null } }), 'MF106', '/properties/a/const'],
    ['a step of nothing', closed({ a: { type: 'number', minimum: 0, maximum: 1, multipleOf: 0 } }), 'MF107', ''],
    ['a required name that is not declared', closed({ a: text }, ['b']), 'MF107', ''],
    ['a keyword of the wrong type', closed({ a: { type: 'string', maxLength: 5, minLength: -1 } }), 'MF107', ''],
  ])('compileParameters refuses %s', (_, schema, rule, pointer) => {
    const { code, errors } = refusalOf(() => compileParameters(schema));
    expect(code).toBe('invalid_template');
    expect(errors.map((error) => [error.detail.slice(0, 5), error.pointer])).toContainEqual([rule, pointer]);
  });

  it('compileParameters refuses a schema that is nested without end', () => {
    let schema: JsonObject = { type: 'string', maxLength: 1 };
    for (let level = 0; level < 40; level += 1) schema = closed({ a: schema });
    expect(refusalOf(() => compileParameters(schema)).errors[0]?.detail).toMatch(/^MF107: nested too deeply/);
  });
});

describe('ParameterSchema.validate', () => {
  const parameters = compileParameters(whole);

  it('ParameterSchema.validate gives back the very value, unfilled and uncoerced', () => {
    const value = { region: 'emea', ticket: '4711', rows: 5, tags: ['a', 'b'], urgent: false, period: { from: 1 } };
    expect(parameters.validate(value)).toBe(value);
  });

  it.each<[string, Json, string]>([
    ['an unknown key', { region: 'emea', role: 'admin' }, '/parameters/role'],
    ['a missing key', {}, '/parameters/region'],
    ['a value outside the enum', { region: 'EMEA' }, '/parameters/region'],
    ['a list where a text belongs', { region: ['emea'] }, '/parameters/region'],
    ['a number as text', { region: 'emea', rows: '5' }, '/parameters/rows'],
    ['a text as number', { region: 'emea', ticket: 4711 }, '/parameters/ticket'],
    ['a fraction', { region: 'emea', rows: 1.5 }, '/parameters/rows'],
    ['a number over the bound', { region: 'emea', rows: 1e9 }, '/parameters/rows'],
    ['a negative number', { region: 'emea', rows: -1 }, '/parameters/rows'],
    ['a final newline', { region: 'emea', ticket: '4711\n' }, '/parameters/ticket'],
    ['a text over the bound', { region: 'emea', note: 'x'.repeat(21) }, '/parameters/note'],
    ['a list over the bound', { region: 'emea', tags: ['a', 'b', 'c'] }, '/parameters/tags'],
    ['a doubled item', { region: 'emea', tags: ['a', 'a'] }, '/parameters/tags'],
    ['a text for a boolean', { region: 'emea', urgent: 'true' }, '/parameters/urgent'],
    ['null', { region: null }, '/parameters/region'],
    ['an unknown key inside', { region: 'emea', period: { from: 1, to: 2 } }, '/parameters/period/to'],
    ['`__proto__`', JSON.parse('{"region":"emea","__proto__":{"role":"admin"}}') as Json, '/parameters/__proto__'],
    ['`constructor`', { region: 'emea', constructor: {} }, '/parameters/constructor'],
    ['a list as root', [], '/parameters'],
    ['a text as root', 'emea', '/parameters'],
  ])('ParameterSchema.validate refuses %s', (_, value, pointer) => {
    const { code, errors } = refusalOf(() => parameters.validate(value));
    expect(code).toBe('invalid_parameters');
    expect(errors.map((error) => error.pointer)).toContain(pointer);
  });

  it('ParameterSchema.validate does not take an inherited value for a given one', () => {
    const inherited = Object.create({ region: 'emea' }) as JsonObject;
    expect(refusalOf(() => parameters.validate(inherited)).code).toBe('invalid_parameters');
  });

  it('ParameterSchema.validate names what may be given, in lower case and without a final stop', () => {
    const { errors } = refusalOf(() => parameters.validate({ region: 'mars' }));
    expect(errors).toEqual([{ pointer: '/parameters/region', detail: 'use one of `emea`, `apac`' }]);
  });

  it('ParameterSchema.validate stays short however much is sent', () => {
    const flood = Object.fromEntries(Array.from({ length: 900 }, (_, i) => [`k${String(i)}`, i]));
    expect(refusalOf(() => parameters.validate(flood)).errors).toHaveLength(20);
    const beyond = { ...flood, ...Object.fromEntries(Array.from({ length: 900 }, (_, i) => [`m${String(i)}`, i])) };
    expect(refusalOf(() => parameters.validate(beyond)).errors[0]?.detail).toMatch(/too many values/);
    const [huge] = refusalOf(() => parameters.validate({ region: 'emea', ['x'.repeat(9_000)]: 1 })).errors;
    expect(huge?.pointer.length).toBeLessThan(80);
  });
});
