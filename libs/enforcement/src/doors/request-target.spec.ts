import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readTarget } from './request-target.js';

const read = (raw: string, method = 'GET') => readTarget(method, raw);
const isRefused = (raw: string, method = 'GET') => 'fault' in read(raw, method);

describe('the target of a request', () => {
  it.each([
    ['/', [], false],
    ['/cases', ['cases'], false],
    ['/cases/', ['cases'], true],
    ['/cases/17/notes', ['cases', '17', 'notes'], false],
    ['/caf%C3%A9/a%20b', ['café', 'a b'], false],
    ["/a!$&'()*+,=:@b", ["a!$&'()*+,=:@b"], false],
    ['/...', ['...'], false],
  ])('the target of a request %s is read as %j', (raw, segments, endsInSlash) => {
    expect(read(raw)).toEqual({ method: 'GET', segments, endsInSlash, queryNames: [] });
  });

  it.each([
    ['/a?', []],
    ['/a?b', ['b']],
    ['/a?b=1&c=2', ['b', 'c']],
    ['/a?b=x%3Dy&c+d=1', ['b', 'c d']],
    ['/a?b=?/', ['b']],
  ])('the target of a request %s has the query names %j', (raw, queryNames) => {
    expect(read(raw)).toMatchObject({ segments: ['a'], queryNames });
  });

  // Dot segments, separators in other guises, controls, encodings of encodings, other forms of a target, ambiguous queries.
  it.each([
    ...['/a/../b', '/a/./b', '/..', '/.', '/a/..', '/%2e%2e/a', '/.%2E/a', '/%2e/a'],
    ...['/a%2fb', '/a%2Fb', '/a%5cb', '/a\\b', '//', '//a', '/a//b', '/a//', '/a;b', '/a;b=c/d', '/a%3bb'],
    ...['/a%00b', '/a%0ab', '/a%7f', '/a%C2%85b', '/a\tb', '/a b', '/a%', '/a%2', '/a%zz', '/a%252fb', '/a%25'],
    ...[
      '/%c0%ae',
      '/%ff',
      '/%ed%a0%80',
      '/é',
      '/a#b',
      '/a%23b',
      '/a%3fb',
      '/a"b',
      '/a<b',
      '/a[b',
      '/a|b',
      '/a^b',
      '/a{b}',
    ],
    ...['', 'a', '*', 'http://cases.example/a', 'cases.example:443', '?a=b', '/a?b=%', '/a?b=%zz', '/a?b c', '/a?é'],
    ...['/a?b=1&b=2', '/a?b&b', '/a?b=1&%62=2', '/a?=1', '/a?&', '/a?b=1&', '/a?b;c', '/a?%ff=1', '/a?b#c'],
    '/'.padEnd(9_000, 'a'),
  ])('the target of a request that servers read in different ways is refused: %j', (raw) => {
    expect(isRefused(raw)).toBe(true);
  });

  it.each(['get', '', 'GET ', 'G\u0000T', 'GÉT', 'A'.repeat(33)])(
    'the target of a request with the method %j is refused',
    (method) => {
      expect(isRefused('/a', method)).toBe(true);
    },
  );

  it('the target of a request quotes nothing of it in the fault', () => {
    for (const raw of ['/canary/../canary', 'canary', '/a?canary=1&canary=2', '/a?canary=%zz'])
      expect(JSON.stringify(read(raw))).not.toContain('canary');
  });

  it('the target of a request has one spelling of its path: what is read is encoded to what a strict encoder writes', () => {
    const segment = fc.string({ minLength: 1, maxLength: 12, unit: 'binary' });
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 5 }), (segments) => {
        let raw: string;
        try {
          raw = `/${segments.map(encodeURIComponent).join('/')}`;
        } catch {
          return; // half a surrogate pair
        }
        const target = read(raw);
        if ('fault' in target) return;
        expect(target.segments).toEqual(segments);
        expect(
          target.segments.some((text) => text === '' || text === '.' || text === '..' || /[/\\;?#%]/.test(text)),
        ).toBe(false);
      }),
    );
  });

  it('the target of a request of any text is read or refused, and never thrown at', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (raw, method) => {
        readTarget(method, raw);
        readTarget('GET', `/${raw}`);
      }),
    );
  });
});
