import { Problem } from '@mayfly/kernel';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseJsonBody } from './json-body.js';

function refusal(text: string): string {
  try {
    parseJsonBody(text);
  } catch (error) {
    if (error instanceof Problem && error.code === 'invalid_request') return error.detail;
    throw error;
  }
  throw new Error(`accepted ${text}`);
}

const nested = (depth: number, open: string, close: string) => open.repeat(depth) + '1' + close.repeat(depth);

describe('parseJsonBody', () => {
  it.each([
    '{}',
    'null',
    '7',
    '"a:b"',
    '{"a":{"a":1},"b":[{"a":1},{"a":2}]}',
    '{"a":":","b":"\\":\\"","c\\"d":"\\\\"}',
    ' { "a" : 1 , "\\u003a" : 2 } ',
    nested(16, '[', ']'),
    nested(16, '{"a":', '}'),
  ])('parseJsonBody reads %s as JSON.parse does', (text) => {
    expect(parseJsonBody(text)).toEqual(JSON.parse(text));
  });

  it.each([
    '{"a":1,"a":2}',
    '{"a":1,"a":1}',
    '{"a":1,"\\u0061":2}',
    '[{"b":{"a":1,"c":":","a":2}}]',
    '{"a":"\\\\","a":"\\""}',
    '{"":1,"":2}',
    '{"1":1,"1":2}',
  ])('parseJsonBody refuses a field named twice: %s', (text) => {
    expect(refusal(text)).toBe('an object has one field twice; keep one');
  });

  it.each([
    ['{"__proto__":{"admin":true}}', '__proto__'],
    ['{"a":[{"\\u005f_proto__":1}]}', '__proto__'],
    ['{"constructor":{"prototype":1}}', 'constructor'],
  ])('parseJsonBody refuses %s', (text, key) => {
    expect(refusal(text)).toBe(`\`${key}\` is a reserved field name; use another`);
  });

  it.each([nested(17, '[', ']'), nested(17, '{"a":', '}'), nested(30_000, '[', ']')])(
    'parseJsonBody refuses nesting deeper than 16',
    (text) => {
      expect(refusal(text)).toBe('the body nests deeper than 16 levels; nest it less');
    },
  );

  it.each(['', '{', '{"a":}', "{'a':1}", '{"a":1}x', '\ufeff{}', '{"a":NaN}', '"canary'])(
    'parseJsonBody refuses %j, which is no JSON, without repeating it',
    (text) => {
      expect(refusal(text)).toBe('the body is not valid JSON; correct it');
    },
  );

  it('parseJsonBody takes every value that has a JSON form within the bounds', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 8 }), (text) => {
        fc.pre(!text.includes('__proto__') && !text.includes('constructor'));
        expect(parseJsonBody(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('parseJsonBody refuses any object as soon as one of its fields is written again', () => {
    const field = fc.string().filter((key) => key !== '__proto__' && key !== 'constructor');
    fc.assert(
      fc.property(
        fc.uniqueArray(field, { minLength: 1 }),
        fc.nat(),
        fc.jsonValue({ maxDepth: 3 }),
        (keys, pick, value) => {
          const written = [...keys, keys[pick % keys.length]!];
          const text = `{${written.map((key) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join()}}`;
          fc.pre(!text.includes('"__proto__"') && !text.includes('"constructor"'));
          expect(refusal(text)).toContain('twice');
        },
      ),
    );
  });
});
