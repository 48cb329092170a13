import { describe, expect, it } from '@jest/globals';
import { parseStrictJson, type JsonFault } from './strict-json.js';

class Refused extends Error {
  constructor(readonly fault: JsonFault) {
    super(fault);
  }
}

const parse = (text: string) => parseStrictJson(text, { maxDepth: 3, refuse: (fault) => new Refused(fault) });

describe('parseStrictJson', () => {
  it.each(['null', '7', '"a:b"', '[[[1]]]', '{"a":{"a":{"a":1}},"b":["a:","\\\\\\":"]}', '{"__proto__":{"a":1}}'])(
    'parseStrictJson reads %s as JSON.parse does',
    (text) => {
      expect(parse(text)).toEqual(JSON.parse(text));
    },
  );

  it.each([
    ['{"a":1,"a":1}', 'duplicate_member'],
    ['{"a":1,"\\u0061":2}', 'duplicate_member'],
    ['[{"b":{"":1,"":2}}]', 'duplicate_member'],
    ['{"__proto__":1,"__proto__":2}', 'duplicate_member'],
    ['[[[[1]]]]', 'too_deep'],
    ['{"a":[{"b":{}}]}', 'too_deep'],
    ['{"a":1,}', 'not_json'],
    ['', 'not_json'],
  ] as const)('parseStrictJson refuses %s as %s', (text, fault) => {
    expect(() => parse(text)).toThrow(new Refused(fault));
  });
});
