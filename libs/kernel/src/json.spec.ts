import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { canonicalJson, digestOf, type Json } from './json.js';

describe('canonicalJson', () => {
  it('canonicalJson writes the example of RFC 8785 §3.2.3', () => {
    const value = {
      numbers: [Number('333333333.33333329'), 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
      string: '\u20ac$\u000F\u000aA\'\u0042\u0022\u005c\\"/',
      literals: [null, true, false],
    };
    expect(canonicalJson(value)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],' +
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
  });

  it('canonicalJson sorts members by UTF-16 code units (RFC 8785 §3.2.3)', () => {
    const value = { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\ud83d\ude00': 5, '\u0080': 6, '\u00f6': 7 };
    expect(Object.values(JSON.parse(canonicalJson(value)) as object)).toEqual([4, 2, 6, 7, 1, 5, 3]);
  });

  it('canonicalJson does not depend on the order of members, and loses nothing', () => {
    const json = fc.jsonValue({ noUnicodeString: false, depthSize: 'small' });
    const reversed = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(reversed);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(
        Object.entries(value)
          .reverse()
          .map(([key, one]) => [key, reversed(one)]),
      );
    };
    fc.assert(
      fc.property(json, (value) => {
        const text = canonicalJson(value);
        expect(canonicalJson(reversed(value) as Json)).toBe(text);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('canonicalJson writes what the library writes, and refuses what it refuses, for every value', () => {
    const keys = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.nat().map(String), fc.constant('__proto__'));
    const texts = fc.oneof(fc.string({ unit: 'binary' }), fc.constant('\ud800'), fc.constant('\\ud800'));
    const leaves = fc.oneof(
      texts,
      fc.double(),
      fc.boolean(),
      fc.constantFrom(null, undefined, -0, new Date(0), Object(7) as unknown, new Map()),
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof({ depthSize: 'small' }, leaves, fc.array(tie('tree')), fc.dictionary(keys, tie('tree'))),
    }));
    const outcome = (write: (value: never) => string | undefined, value: unknown) => {
      try {
        return write(value as never) ?? 'nothing';
      } catch {
        return 'an error';
      }
    };
    fc.assert(
      fc.property(tree, (value) => {
        const expected = outcome(canonicalize, value);
        expect(outcome(canonicalJson, value)).toBe(expected === 'nothing' ? 'an error' : expected);
      }),
      { numRuns: 2_000 },
    );
  });

  it('canonicalJson writes a value that is deeper than the stack', () => {
    let deep: Json = 1;
    for (let level = 0; level < 20_000; level += 1) deep = [deep];
    expect(canonicalJson(deep)).toHaveLength(40_001);
  });

  it('canonicalJson leaves absent members out', () => {
    expect(canonicalJson({ b: undefined, a: 1 })).toBe('{"a":1}');
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('canonicalJson refuses %p, which JSON cannot hold', (value) => {
    expect(() => canonicalJson({ value })).toThrow();
  });
});

describe('digestOf', () => {
  it('digestOf is the SHA-256 of the canonical JSON, base64url', () => {
    const expected = createHash('sha256').update('{"a":[1,2],"b":null}').digest('base64url');
    expect(digestOf({ b: null, a: [1, 2] })).toBe(expected);
    expect(expected).toMatch(/^[\w-]{43}$/);
  });

  it('digestOf tells values apart', () => {
    const digests = [{}, [], null, '', 0, false, { a: 1 }, { a: '1' }, [1, 2], [2, 1]].map((value) => digestOf(value));
    expect(new Set(digests).size).toBe(digests.length);
  });
});
