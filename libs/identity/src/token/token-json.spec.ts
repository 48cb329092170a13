import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { identityRefusalReason } from '../identity-refusal.js';
import { parseTokenJson } from './token-json.js';

function reasonFor(text: string): string | undefined {
  try {
    parseTokenJson(text);
    return 'accepted';
  } catch (error) {
    return identityRefusalReason(error);
  }
}

describe('parseTokenJson', () => {
  it.each([
    ['a member twice', '{"a":1,"a":1}', 'duplicate_claim'],
    ['a member twice, far apart', '{"a":1,"b":{"c":[1,2,{"d":"}"}]},"a":2}', 'duplicate_claim'],
    ['a member twice within a list', '{"l":[{"a":1,"a":2}]}', 'duplicate_claim'],
    ['an escaped name', String.raw`{"a":1,"\u0061":2}`, 'duplicate_claim'],
    ['an escaped quote in a name', String.raw`{"\"":1,"\u0022":2}`, 'duplicate_claim'],
    ['__proto__ twice', '{"__proto__":1,"__proto__":2}', 'duplicate_claim'],
    ['an empty name twice', '{"":1,"":2}', 'duplicate_claim'],
    ['one name in two objects', '{"a":{"a":1},"b":{"a":1}}', 'accepted'],
    ['a name that is also a value', '{"a":"a","b":["a","a"]}', 'accepted'],
    ['brackets and commas in strings', String.raw`{"a":"{\",\"}","b":"],[\\"}`, 'accepted'],
    ['a list', '[]', 'malformed'],
    ['null', 'null', 'malformed'],
    ['text', '"a"', 'malformed'],
    ['a trailing comma', '{"a":1,}', 'malformed'],
    ['a comment', '{"a":1}//', 'malformed'],
    ['a byte order mark', '\uFEFF{"a":1}', 'malformed'],
    ['sixteen levels', `{"a":${'['.repeat(15)}${']'.repeat(15)}}`, 'accepted'],
    ['seventeen levels', `{"a":${'['.repeat(16)}${']'.repeat(16)}}`, 'malformed'],
  ])('parseTokenJson judges %s', (_, text, reason) => {
    expect(reasonFor(text)).toBe(reason);
  });

  it('parseTokenJson gives what JSON.parse gives for every object', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 })), fc.constantFrom(0, 2), (value, space) => {
        const text = JSON.stringify(value, null, space);
        expect(parseTokenJson(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('parseTokenJson finds a repeated member wherever it is', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.string(), fc.nat(3), (value, name, depth) => {
        const repeated = `{${JSON.stringify(name)}:0,${JSON.stringify({ ...value, [name]: 1 }).slice(1)}`;
        const text = `${'{"a":['.repeat(depth)}${repeated}${']}'.repeat(depth)}`;
        fc.pre(Object.hasOwn(JSON.parse(repeated) as object, name));
        expect(reasonFor(text)).toBe('duplicate_claim');
      }),
    );
  });
});
