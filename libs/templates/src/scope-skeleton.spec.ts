import { describe, expect, it } from '@jest/globals';
import { digestOf, type Json, type JsonObject } from '@mayfly/kernel';
import { compileParameters } from './parameter-schema.js';
import { refusalOf } from './refusal.fixture.js';
import { compileScope } from './scope-skeleton.js';

const properties: JsonObject = {
  region: { enum: ['emea', 'apac'] },
  path: { const: 'crm/cases' },
  level: { enum: [1, 2] },
  tenant: { type: 'string', maxLength: 100 },
  row: { type: 'integer', minimum: -5, maximum: 99 },
  optional: { enum: ['a'] },
  flag: { type: 'boolean' },
  ratio: { type: 'number', minimum: 0, maximum: 1 },
  list: { type: 'array', maxItems: 3, items: { enum: ['a'] } },
};
const parameters = compileParameters({
  type: 'object',
  properties,
  required: Object.keys(properties).filter((name) => name !== 'optional'),
  additionalProperties: false,
});
const values = { region: 'emea', path: 'crm/cases', level: 2, tenant: 'acme-1', row: 7 };

describe('compileScope', () => {
  it.each<[string, Json, string, string]>([
    ['an unknown parameter', { a: { $param: 'nobody' } }, 'MF201', '/a'],
    ['an inherited name', { a: { $param: 'toString' } }, 'MF201', '/a'],
    ['a hole with a second key', { a: { $param: 'region', b: 1 } }, 'MF202', '/a'],
    ['a hole that names no text', { a: { $param: ['region'] } }, 'MF202', '/a'],
    ['a misspelt hole', { a: { $parm: 'region' } }, 'MF202', '/a'],
    ['`$params`', { a: { $params: 'region' } }, 'MF202', '/a'],
    ['any other dollar key', { a: { $ref: '#' } }, 'MF202', '/a'],
    ['a hole as the whole scope', { $param: 'region' }, 'MF202', ''],
    ['a list as the whole scope', [{ a: 1 }], 'MF202', ''],
    ['an empty join', { a: { $join: [] } }, 'MF202', '/a/$join'],
    ['a join of a number', { a: { $join: ['x', 1] } }, 'MF202', '/a/$join/1'],
    ['a join in a join', { a: { $join: ['x/', { $join: ['y'] }] } }, 'MF202', '/a/$join/1'],
    ['an optional parameter in a hole', { a: { $param: 'optional' } }, 'MF203', '/a'],
    ['a list parameter in a hole', { a: { $param: 'list' } }, 'MF203', '/a'],
    ['a boolean parameter in a hole', { a: { $param: 'flag' } }, 'MF203', '/a'],
    ['a fraction parameter in a hole', { a: { $param: 'ratio' } }, 'MF203', '/a'],
    ['an empty scope', {}, 'MF204', ''],
    ['an empty list', { a: [] }, 'MF204', '/a'],
    ['an empty object', { a: { b: {} } }, 'MF204', '/a/b'],
    ['an empty text', { a: '' }, 'MF204', '/a'],
    ['null', { a: null }, 'MF204', '/a'],
    ['an empty text in a join', { a: { $join: ['', { $param: 'region' }] } }, 'MF204', '/a/$join/0'],
    ['a newline in a fixed text', { a: 'x\ny' }, 'MF205', '/a'],
    ['a bidi override in a key', { 'a\u202e': 'x' }, 'MF205', '/a\u202e'],
    ['a reserved key', { a: { constructor: 'x' } }, 'MF205', '/a/constructor'],
    ['a free hole glued to text before', { a: { $join: ['prod-', { $param: 'tenant' }] } }, 'MF206', '/a/$join/1'],
    ['a free hole glued to text after', { a: { $join: [{ $param: 'tenant' }, 'x'] } }, 'MF206', '/a/$join/0'],
    ['a free hole before a wildcard', { a: { $join: ['crm/', { $param: 'tenant' }, '*'] } }, 'MF206', '/a/$join/1'],
    ['two holes side by side', { a: { $join: [{ $param: 'tenant' }, { $param: 'region' }] } }, 'MF206', '/a/$join/0'],
  ])('compileScope refuses %s', (_, tree, rule, pointer) => {
    const { code, errors } = refusalOf(() => compileScope(tree, parameters));
    expect(code).toBe('invalid_template');
    expect(errors.map((error) => [error.detail.slice(0, 5), error.pointer])).toContainEqual([rule, pointer]);
  });

  it('compileScope refuses a tree that is nested without end', () => {
    let tree: Json = 'leaf';
    for (let level = 0; level < 40; level += 1) tree = { a: tree };
    expect(refusalOf(() => compileScope(tree, parameters)).errors[0]?.detail).toMatch(/^MF209/);
  });

  it('compileScope lists every fault of a tree at once', () => {
    expect(refusalOf(() => compileScope({ a: null, b: [], c: '' }, parameters)).errors).toHaveLength(3);
  });
});

describe('ScopeSkeleton.render', () => {
  it.each<[string, Json, Json]>([
    ['a listed text', { a: { $param: 'region' } }, { a: 'emea' }],
    ['a listed number as a number', { a: { $param: 'level' } }, { a: 2 }],
    ['a listed text that no free hole would take', { a: { $param: 'path' } }, { a: 'crm/cases' }],
    ['a free segment', { a: { $param: 'tenant' } }, { a: 'acme-1' }],
    ['a free number', { a: [{ $param: 'row' }] }, { a: [7] }],
    ['a join', { a: { $join: ['arn:aws:s3:::crm/', { $param: 'tenant' }, '/*'] } }, { a: 'arn:aws:s3:::crm/acme-1/*' }],
    ['a join that ends in its hole', { a: { $join: ['rows/', { $param: 'row' }] } }, { a: 'rows/7' }],
    ['a listed hole glued to text', { a: { $join: ['crm_', { $param: 'region' }] } }, { a: 'crm_emea' }],
    ['fixed values of every kind', { a: ['x', 1, false, { b: 'y' }] }, { a: ['x', 1, false, { b: 'y' }] }],
  ])('ScopeSkeleton.render fills %s', (_, tree, scope) => {
    const rendered = compileScope(tree, parameters).render(values);
    expect(rendered).toEqual({ scope, digest: digestOf(scope) });
  });

  it('ScopeSkeleton.render gives one digest for one content, and another for another', () => {
    const render = (tree: Json) => compileScope(tree, parameters).render(values).digest;
    expect(render({ a: 1, b: { $param: 'region' } })).toBe(render({ b: 'emea', a: 1 }));
    expect(render({ a: { $param: 'region' } })).not.toBe(render({ a: 'apac' }));
  });

  it.each<[string, Json]>([
    ['is missing', undefined as unknown as Json],
    ['is empty', ''],
    ['is null', null],
    ['is of another type', 7],
  ])('ScopeSkeleton.render points at a parameter that %s, even when nobody validated it', (_, tenant) => {
    const { code, errors } = refusalOf(() => compileScope({ a: { $param: 'tenant' } }, parameters).render({ tenant }));
    expect([code, errors[0]?.pointer]).toEqual(['invalid_parameters', '/parameters/tenant']);
  });

  it('ScopeSkeleton.render refuses a negative number in a free hole', () => {
    const skeleton = compileScope({ a: { $param: 'row' } }, parameters);
    expect(refusalOf(() => skeleton.render({ row: -1 })).errors[0]?.detail).toBe('use a whole number from 0');
  });

  it('ScopeSkeleton.render takes no inherited value', () => {
    const skeleton = compileScope({ a: { $param: 'region' } }, parameters);
    const inherited = Object.create({ region: 'emea' }) as JsonObject;
    expect(refusalOf(() => skeleton.render(inherited)).code).toBe('invalid_parameters');
  });

  it('ScopeSkeleton.render gives each caller a tree of its own', () => {
    const skeleton = compileScope({ a: ['x'] }, parameters);
    (skeleton.render({}).scope.a as string[]).push('*');
    expect(skeleton.render({}).scope).toEqual({ a: ['x'] });
  });

  it('ScopeSkeleton.render refuses a scope over 16 KiB and trims nothing', () => {
    const tree = { a: 'x'.repeat(16_370), b: { $param: 'region' } };
    expect(refusalOf(() => compileScope(tree, parameters).render(values)).code).toBe('invalid_parameters');
    const skeleton = compileScope({ ...tree, a: 'x'.repeat(16_300) }, parameters);
    expect(skeleton.render(values).scope.a).toHaveLength(16_300);
  });
});
