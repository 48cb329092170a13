import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { escapeUntrusted, tokenFacts } from './token-facts.js';

const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const tokenOf = (header: unknown, payload: unknown): string => `${encode(header)}.${encode(payload)}.signature`;

describe('untrusted text', () => {
  it.each([
    ['plain', 'plain'],
    ['https://ci.example/realms/a?b=c', 'https://ci.example/realms/a?b=c'],
    ['one\r\n{"level":50}', 'one\\u{d}\\u{a}{"level":50}'],
    ['\u001b[2J', '\\u{1b}[2J'],
    ['\u009b2J', '\\u{9b}2J'],
    ['a\u202eb', 'a\\u{202e}b'],
    ['a\u2028b\u0000', 'a\\u{2028}b\\u{0}'],
    ['größer 😀', 'gr\\u{f6}\\u{df}er \\u{1f600}'],
    ['\ud800', '\\u{d800}'],
    ['\\u{a}', '\\u{5c}u{a}'],
    ['=cmd|calc', "'=cmd|calc"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['-1+cmd', "'-1+cmd"],
    ['-Xk_3', '-Xk_3'],
  ])('untrusted text %j is shown as %s', (text, shown) => {
    expect(escapeUntrusted(text, 100)).toBe(shown);
  });

  it('untrusted text is printable ASCII and bounded, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.integer({ min: 1, max: 200 }), (text, max) => {
        const shown = escapeUntrusted(text, max);
        expect(shown).toMatch(/^[ -~]*$/);
        expect(shown.length).toBeLessThanOrEqual(max + 3);
      }),
    );
  });
});

describe('the facts of a refused token', () => {
  it('the facts of a refused token are its issuer, subject, audience and what its header says of key and kind', () => {
    const header = { alg: 'ES256', kid: 'key-1', typ: 'at+jwt', x5c: ['MIIB'] };
    const payload = { iss: 'https://ci.example', sub: 'agent', aud: 'account', email: 'somebody@example' };
    expect(tokenFacts(tokenOf(header, payload))).toEqual({
      ...{ alg: 'ES256', kid: 'key-1', typ: 'at+jwt' },
      ...{ issuer: 'https://ci.example', subject: 'agent', aud: 'account' },
    });
  });

  it('the facts of a refused token are bounded in number and length', () => {
    const long = 'x'.repeat(5000);
    const facts = tokenFacts(
      tokenOf({ alg: long, kid: long, typ: long }, { iss: long, sub: long, aud: Array(99).fill(long) }),
    );
    expect(facts.aud).toHaveLength(5);
    expect(JSON.stringify(facts).length).toBeLessThan(1600);
  });

  it.each([
    ['no token', '', {}],
    ['text', 'a.b.c', {}],
    ['members of other types', tokenOf({ alg: 7, kid: [] }, { iss: {}, sub: null, aud: 3 }), {}],
    ['a list', tokenOf([], ['x']), {}],
    ['a header alone', tokenOf({ kid: 'k' }, 'no JSON'), { kid: 'k' }],
  ])('the facts of a refused token of %s are those that can be read', (_, token, facts) => {
    expect(tokenFacts(token)).toEqual(facts);
  });

  it('the facts of a refused token never hold the token or its signature, and never throw', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(
          JSON.stringify(tokenFacts(`${encode({ alg: 'x' })}.${encode({ sub: 'y' })}.${encode(`s${text}`)}`)),
        ).toBe('{"subject":"y","alg":"x"}');
        expect(() => tokenFacts(text)).not.toThrow();
      }),
    );
  });
});
