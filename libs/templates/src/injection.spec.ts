import { describe, expect, it } from '@jest/globals';
import { Problem, type Json, type JsonObject } from '@mayfly/kernel';
import fc from 'fast-check';
import { CompiledTemplate } from './compiled-template.js';
import { compileParameters } from './parameter-schema.js';
import { compileScope } from './scope-skeleton.js';
import { supportReadCases } from './support-read-cases.fixture.js';
import type { TaskTemplateSpec } from './task-template.schema.js';

/** A template whose author trusts the renderer: only the length of `tenant` is bounded. */
const scope = {
  statement: [
    {
      effect: 'Allow',
      action: { $param: 'verb' },
      resource: { $join: ['arn:aws:s3:::crm/', { $param: 'tenant' }, '/*'] },
    },
  ],
  path: { $join: ['secret/data/', { $param: 'tenant' }] },
  table: { $param: 'tenant' },
  limit: { $param: 'rows' },
};
const parameters: TaskTemplateSpec['parameters'] = {
  type: 'object',
  properties: {
    tenant: { type: 'string', maxLength: 256 },
    verb: { enum: ['s3:GetObject', 's3:ListBucket'] },
    rows: { type: 'integer', minimum: 1, maximum: 1000 },
  },
  required: ['tenant', 'verb', 'rows'],
  additionalProperties: false,
};
const spec = supportReadCases({ parameters, credentials: [{ name: 'bucket', provider: 'dummy', scope }] });
const template = new CompiledTemplate({ name: 't', version: 1, spec, digest: 'd', labels: {} });
const harmless = { tenant: 'acme', verb: 's3:GetObject', rows: 10 };

/** Returns the scope that is rendered for a request; undefined when its parameters are refused. */
function render(request: Json): JsonObject | undefined {
  try {
    return template.renderScopes(template.validate(request))[0]?.scope;
  } catch (error) {
    if (error instanceof Problem && error.code === 'invalid_parameters') return undefined;
    throw error;
  }
}

const rendered = (tenant: string, verb: string, rows: number) => ({
  statement: [{ effect: 'Allow', action: verb, resource: `arn:aws:s3:::crm/${tenant}/*` }],
  path: `secret/data/${tenant}`,
  table: tenant,
  limit: rows,
});

describe('rendering against the corpus of injections', () => {
  it('rendering renders a harmless request', () => {
    expect(render(harmless)).toEqual(rendered('acme', 's3:GetObject', 10));
  });

  it.each<[string, unknown]>([
    ['JSON break-out', 'x","resource":"*'],
    ['escaped JSON break-out', 'x\\","resource":"*'],
    ['star', '*'],
    ['star at the end', 'acme*'],
    ['question mark', 'acm?'],
    ['Vault segment wildcard', '+'],
    ['IAM escape of a star', '${*}'],
    ['IAM variable', '${aws:PrincipalTag/tenant}'],
    ['lone dollar', '$acme'],
    ['path separator', 'acme/other'],
    ['parent segment', '..'],
    ['hidden parent segment', 'acme/../other'],
    ['whole ARN', 'arn:aws:s3:::other'],
    ['encoded separator', 'acme%2fother'],
    ['backslash', 'acme\\other'],
    ['empty', ''],
    ['blank', ' '],
    ['null', null],
    ['overlong', 'a'.repeat(65)],
    ['look-alike letter', '\u0430cme'],
    ['full-width star', '\uff0a'],
    ['NUL', 'acme\u0000'],
    ['newline at the end', 'acme\n'],
    ['CRLF', 'acme\r\nx'],
    ['bidi override', 'acme\u202e'],
    ['zero-width joiner', 'ac\u200dme'],
    ['double encoding', '%252e%252e'],
    ['lone surrogate', '\ud800'],
    ['list', ['acme', '*']],
    ['object', { toString: 'acme' }],
    ['number', 4711],
    ['boolean', true],
    ['template engine', '{{constructor.constructor("return 1")()}}'],
    ['second-order hole', '{"$param":"verb"}'],
    ['hole as a value', { $param: 'verb' }],
    ['join as a value', { $join: ['a', '/*'] }],
    ['Vault traversal', '../sys/raw'],
    ['trailing dot', 'acme.'],
    ['query', 'acme?list=true'],
    ['SQL quote', 'cases"; drop table cases; --'],
    ['SQL literal quote', "cases' or '1'='1"],
    ['semicolon', 'cases;'],
    ['shell', '$(id)'],
    ['option', '-rf'],
    ['spreadsheet formula', '=1+1'],
    ['URL', 'https://evil.example'],
  ])('rendering refuses the attack "%s"', (_, tenant) => {
    expect(render({ ...harmless, tenant } as Json)).toBeUndefined();
  });

  it.each<[string, object]>([
    ['action of the caller', { verb: 's3:*' }],
    ['action in another case', { verb: 's3:getobject' }],
    ['NotAction beside', { notAction: 's3:GetObject' }],
    ['__proto__', JSON.parse('{"__proto__":{"verb":"s3:*"}}') as object],
    ['constructor', { constructor: { prototype: {} } }],
    ['role of the caller', { roleArn: 'arn:aws:iam::1:role/admin' }],
    ['body widening', { policies: ['root'] }],
    ['claim override', { sub: 'admin' }],
    ['negative', { rows: -1 }],
    ['beyond the bound', { rows: 1e9 }],
    ['fraction', { rows: 1.5 }],
    ['infinity', { rows: Infinity }],
    ['not a number', { rows: NaN }],
  ])('rendering refuses the attack "%s"', (_, change) => {
    expect(
      render(Object.defineProperties({ ...harmless }, Object.getOwnPropertyDescriptors(change)) as Json),
    ).toBeUndefined();
  });

  it('rendering refuses a missing value', () => {
    for (const name of ['tenant', 'verb', 'rows']) {
      expect(render(Object.fromEntries(Object.entries(harmless).filter(([key]) => key !== name)))).toBeUndefined();
    }
  });

  it('a polluted prototype cannot change a rendered scope', () => {
    const hooked = Array.prototype as { toJSON?: () => unknown };
    hooked.toJSON = () => ['*'];
    try {
      expect(() => render({ ...harmless, tenant: 'hooked' })).toThrow(
        'the rendered scope does not match the structure of the template',
      );
    } finally {
      delete hooked.toJSON;
    }
  });

  it('a template with an unanchored or explosive pattern is refused before any request', () => {
    const bounded = (pattern: string) => ({
      ...parameters,
      properties: { tenant: { type: 'string', pattern } },
      required: ['tenant'],
    });
    expect(() => compileParameters(bounded('[a-z]+'))).toThrow(/MF104/);
    expect(() => compileParameters(bounded('^a|b$')).validate({ tenant: 'ax' })).toThrow(Problem);
  });

  it('an edit of the parameters after rendering changes no rendered scope', () => {
    const request = { ...harmless };
    const scopeThen = render(request);
    request.tenant = 'other';
    expect(scopeThen).toEqual(rendered('acme', 's3:GetObject', 10));
  });
});

describe('rendering, for any parameters', () => {
  const segment = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/);
  const tenant = fc.oneof(
    segment,
    fc.string({ unit: 'binary', maxLength: 80 }),
    fc
      .tuple(segment, fc.constantFrom('*', '/', '..', '$', '\n', ':', '%', '{', '"', ' '), segment)
      .map((parts) => parts.join('')),
    fc.jsonValue(),
  );
  const verb = fc.oneof(fc.constantFrom('s3:GetObject', 's3:ListBucket'), fc.string());
  const rows = fc.oneof(fc.integer({ min: -10, max: 2000 }), fc.double());

  it('an accepted rendering differs from the skeleton at holes only', () => {
    let accepted = 0;
    fc.assert(
      fc.property(fc.record({ tenant, verb, rows }), (request) => {
        const tree = render(request);
        if (tree === undefined) return;
        accepted += 1;
        expect(request.tenant).toMatch(/^[A-Za-z0-9_-]+$/);
        expect(tree).toEqual(rendered(request.tenant as string, request.verb, request.rows));
      }),
      { numRuns: 2000 },
    );
    expect(accepted).toBeGreaterThan(0);
  });

  it('rendering refuses a value with one character outside the grammar', () => {
    const outside = fc
      .string({ unit: 'binary', minLength: 1, maxLength: 1 })
      .filter((character) => !/[A-Za-z0-9_-]/.test(character));
    fc.assert(
      fc.property(segment, outside, segment, (before, character, after) => {
        expect(render({ ...harmless, tenant: before + character + after })).toBeUndefined();
      }),
      { numRuns: 1000 },
    );
  });

  it('rendering keeps a segment whole in the text that joins it', () => {
    const skeleton = compileScope(
      { a: { $join: ['x/', { $param: 'tenant' }, ':', { $param: 'rows' }, '/y'] } },
      template.parameters,
    );
    fc.assert(
      fc.property(segment, fc.nat(1000), (name, count) => {
        const text = skeleton.render({ tenant: name, rows: count }).scope.a as string;
        expect(text.split(/[/:]/)).toEqual(['x', name, String(count), 'y']);
      }),
    );
  });
});
