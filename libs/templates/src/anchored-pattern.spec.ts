import { describe, expect, it } from '@jest/globals';
import { anchoredPatterns, findPatternFault } from './anchored-pattern.js';

describe('findPatternFault', () => {
  it.each(['^[a-z]+$', '^(a|b)$', '^\\d{1,9}$'])('findPatternFault accepts %s', (pattern) => {
    expect(findPatternFault(pattern)).toBeUndefined();
  });

  it.each([
    ['no start anchor', '[a-z]+$', /anchor/],
    ['no end anchor', '^[a-z]+', /anchor/],
    ['a flag before the anchor', '(?m)^a$', /anchor/],
    ['look-ahead', '^(?=a)a$', /RE2/],
    ['a back-reference', '^(a)\\1$', /RE2/],
    ['repeats of repeats', '^((a{100}){100}){100}$', /RE2/],
    ['an open group', '^(a$', /RE2/],
    ['an overlong pattern', `^${'a'.repeat(600)}$`, /at most 512/],
  ])('findPatternFault refuses %s', (_, pattern, reason) => {
    expect(findPatternFault(pattern)).toMatch(reason);
  });
});

describe('anchoredPatterns', () => {
  it.each([
    ['^a|b$', 'ax'],
    ['^a|b$', 'xb'],
    ['^a$', 'a\n'],
    ['^(?m:a)$', 'a\nb'],
    ['^a\\$', 'a$b'],
    ['^a+$', 'a'.repeat(257)],
  ])('anchoredPatterns %s does not match %j', (pattern, text) => {
    expect(anchoredPatterns(pattern, 'u').test(text)).toBe(false);
  });

  it('anchoredPatterns matches a whole text of up to 256 characters', () => {
    expect(anchoredPatterns('^a+$', 'u').test('a'.repeat(256))).toBe(true);
  });

  it('anchoredPatterns stays linear where a backtracking engine would not come back', () => {
    expect(anchoredPatterns('^(a+)+$', 'u').test(`${'a'.repeat(255)}!`)).toBe(false);
  });
});
