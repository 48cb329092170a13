import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SubjectPattern, subjectPatternFault } from './subject-pattern.js';

describe('SubjectPattern', () => {
  it.each([
    ['repo:org/app:*', 'repo:org/app:pull_request', true],
    ['repo:org/app:*', 'repo:org/app-evil:pull_request', false],
    ['repo:org/app:*', 'repo:org/app:ref:refs/heads/main', false],
    ['repo:org/app:*', 'repo:org/app:', false],
    ['repo:org/*:environment:prod', 'repo:org/app:environment:prod', true],
    ['repo:org/*:environment:prod', 'repo:org/app/x:environment:prod', false],
    ['repo:org/*:environment:prod', 'repo:org-evil/app:environment:prod', false],
    ['repo:org/app', 'repo:org:app', false],
    ['system:serviceaccount:crm:*', 'system:serviceaccount:crm:agent', true],
    ['system:serviceaccount:crm:*', 'system:serviceaccount:crm-evil:agent', false],
    ['spiffe://prod.example/ns/*/sa/agent', 'spiffe://prod.example/ns/crm/sa/agent', true],
    ['spiffe://PROD.example/ns/*', 'spiffe://prod.example/ns/crm', true],
    ['spiffe://prod.example/NS/*', 'spiffe://prod.example/ns/crm', false],
    ['agent', 'agent', true],
    ['agent', 'Agent', false],
    ['a:*:c', 'a:*:c', true],
    ['a:.', 'a:b', false],
  ])('SubjectPattern %s against %s: %s', (pattern, subject, matches) => {
    expect(SubjectPattern.of(pattern).matches(subject)).toBe(matches);
  });

  it.each([
    ['a:*:c', 'a:b:*', true],
    ['a:*', 'a:b', true],
    ['a:*', 'a/*', false],
    ['a:*', 'b:*', false],
    ['a:*', 'a:*:c', false],
    ['a:*:c', 'a:b:d', false],
    ['a:*:c', 'a::c', false],
  ])('SubjectPattern %s and %s overlap: %s', (left, right, overlaps) => {
    expect(SubjectPattern.of(left).overlaps(SubjectPattern.of(right))).toBe(overlaps);
    expect(SubjectPattern.of(right).overlaps(SubjectPattern.of(left))).toBe(overlaps);
  });

  const part = fc.constantFrom('a', 'b', '*');
  const subjectPart = fc.constantFrom('a', 'b', 'c', 'ab', '');
  const joined = (parts: readonly string[], separators: readonly string[]): string =>
    parts.map((text, at) => `${at === 0 ? '' : (separators[at] ?? ':')}${text}`).join('');
  const separators = fc.array(fc.constantFrom(':', '/'), { minLength: 4, maxLength: 4 });

  it('SubjectPattern matches only subjects of the same shape that agree in every literal segment', () => {
    fc.assert(
      fc.property(
        fc.array(part, { minLength: 1, maxLength: 4 }),
        fc.array(subjectPart),
        separators,
        (p, s, between) => {
          const expected =
            p.length === s.length && p.every((text, at) => text === s[at] || (text === '*' && s[at] !== ''));
          expect(SubjectPattern.of(joined(p, between)).matches(joined(s, between))).toBe(expected);
        },
      ),
    );
  });

  it('SubjectPattern overlaps whenever one subject matches both', () => {
    const three = { minLength: 3, maxLength: 3 };
    fc.assert(
      fc.property(fc.array(part, three), fc.array(part, three), fc.array(subjectPart, three), (p, q, s) => {
        const [left, right] = [SubjectPattern.of(p.join(':')), SubjectPattern.of(q.join(':'))];
        const subject = s.join(':');
        if (left.matches(subject) && right.matches(subject)) expect(left.overlaps(right)).toBe(true);
      }),
    );
  });
});

describe('subjectPatternFault', () => {
  it.each([
    'agent',
    'auth0|123',
    'repo:org/app:*',
    'repo:org@1/*:ref:refs/heads/main',
    'system:serviceaccount:crm:agent.v2',
    'system:serviceaccount:crm:*',
    'spiffe://prod.example/ns/*/sa/*',
  ])('subjectPatternFault accepts %s', (subject) => {
    expect(subjectPatternFault(subject)).toBeUndefined();
  });

  it.each([
    ['repo:org/app*', 'whole segment'],
    ['repo:org/app:**', 'whole segment'],
    ['*', 'begin with a segment'],
    ['*:serviceaccount:crm:agent', 'begin with a segment'],
    ['system:serviceaccount:crm', 'system:serviceaccount'],
    ['system:serviceaccount:CRM:agent', 'system:serviceaccount'],
    ['system:serviceaccount:crm:agent:more', 'system:serviceaccount'],
    ['system:node:one', 'system:serviceaccount'],
    ['spiffe://prod.example', 'SPIFFE ID'],
    ['spiffe://*/agent', 'SPIFFE ID'],
    ['spiffe://prod.example/%61', 'SPIFFE ID'],
    ['spiffe://prod.example/*/', 'SPIFFE ID'],
    ['Spiffe:agent', 'SPIFFE ID'],
  ])('subjectPatternFault says what to change in %s', (subject, words) => {
    expect(subjectPatternFault(subject)).toContain(words);
  });
});
