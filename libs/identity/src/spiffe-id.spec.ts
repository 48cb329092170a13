import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { looksLikeSpiffeId, parseSpiffeId } from './spiffe-id.js';

describe('parseSpiffeId', () => {
  it.each([
    ['spiffe://example.org', 'example.org', '', 'spiffe://example.org'],
    ['spiffe://example.org/a/B-1._', 'example.org', '/a/B-1._', 'spiffe://example.org/a/B-1._'],
    ['SPIFFE://Example.ORG/Case', 'example.org', '/Case', 'spiffe://example.org/Case'],
    ['spiffe://a_b-c.d/...', 'a_b-c.d', '/...', 'spiffe://a_b-c.d/...'],
  ])('parseSpiffeId reads %s', (text, trustDomain, path, canonical) => {
    expect(parseSpiffeId(text)).toEqual({ trustDomain, path, canonical });
  });

  it.each([
    ['no scheme', 'example.org/a'],
    ['another scheme', 'https://example.org/a'],
    ['no trust domain', 'spiffe:///a'],
    ['a port', 'spiffe://example.org:8080/a'],
    ['a user', 'spiffe://me@example.org/a'],
    ['percent-encoding in the trust domain', 'spiffe://ex%61mple.org/a'],
    ['percent-encoding in the path', 'spiffe://example.org/%61'],
    ['an empty segment', 'spiffe://example.org//a'],
    ['a trailing slash', 'spiffe://example.org/a/'],
    ['a dot segment', 'spiffe://example.org/./a'],
    ['two dots', 'spiffe://example.org/a/..'],
    ['a query', 'spiffe://example.org/a?b'],
    ['a fragment', 'spiffe://example.org/a#b'],
    ['a line break', 'spiffe://example.org/a\n'],
    ['letters beyond ASCII', 'spiffe://exämple.org/a'],
    ['a sign that lower case makes ASCII', 'spiffe://example.or\u212A/a'],
    ['more than 2048 characters', `spiffe://example.org/${'a'.repeat(2028)}`],
    ['a trust domain of 256 characters', `spiffe://${'a'.repeat(256)}/a`],
  ])('parseSpiffeId refuses %s', (_, text) => {
    expect(parseSpiffeId(text)).toBeUndefined();
  });

  it('parseSpiffeId gives a canonical form that stays as it is', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-zA-Z0-9._-]{1,9}(\/[a-zA-Z0-9._-]{1,5}){0,3}$/), (rest) => {
        const id = parseSpiffeId(`spiffe://${rest}`);
        if (id !== undefined) expect(parseSpiffeId(id.canonical)).toEqual(id);
      }),
    );
  });

  it('parseSpiffeId detects a text in the form of a SPIFFE ID', () => {
    expect(looksLikeSpiffeId('Spiffe:nonsense')).toBe(true);
    expect(looksLikeSpiffeId('https://spiffe.example')).toBe(false);
  });
});
