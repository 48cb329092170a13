import { describe, expect, it } from '@jest/globals';
import { EntryLimits } from './entry-limits.js';

const at = (seconds: number) => new Date(seconds * 1000);
const newLimits = () => new EntryLimits({ perIdentity: 3, shared: 5 });

/** What `count` attempts in a row are answered. */
const times = <T>(count: number, attempt: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => attempt(i));

describe('limits of entries', () => {
  it('admit so many a second for one identity, and the next tells how many are missing', () => {
    const limits = newLimits();
    const attempt = (second: number) => limits.admitIdentity(at(second), 'ci', 'one', false);
    expect(times(6, () => attempt(1))).toEqual([0, 0, 0, undefined, undefined, undefined]);
    expect(times(4, () => attempt(2))).toEqual([3, 0, 0, undefined]);
    expect(attempt(9)).toBe(1);
  });

  it('do not let one identity silence another, however its issuer and name are put together', () => {
    const limits = newLimits();
    times(9, () => limits.admitIdentity(at(1), 'ci', 'a","b', false));
    for (const [issuer, subject] of [
      ['ci', 'two'],
      ['cd', 'a","b'],
      ['ci","a', 'b'],
    ] as const)
      expect(limits.admitIdentity(at(1), issuer, subject, false)).toBe(0);
  });

  it('admit so many a second for all strangers together, named or not', () => {
    const limits = newLimits();
    const named = times(9, (i) => limits.admitIdentity(at(1), 'ci', `stranger-${String(i)}`, true));
    expect(named.filter((missing) => missing !== undefined)).toHaveLength(5);
    expect(limits.admitStranger(at(1))).toBeUndefined();
    expect(limits.admitIdentity(at(1), 'ci', 'known', false)).toBe(0);
    expect(limits.admitStranger(at(2))).toBe(5);
  });

  it('hold a stranger to its own limit first, so that it does not use up that of all', () => {
    const limits = newLimits();
    times(100, () => limits.admitIdentity(at(1), 'ci', 'loud', true));
    expect(times(3, () => limits.admitStranger(at(1)))).toEqual([0, 0, undefined]);
  });

  it('lose no count of an identity that is forgotten', () => {
    const limits = newLimits();
    times(5, () => limits.admitIdentity(at(1), 'ci', 'first', false));
    const others = times(10_000, (i) => limits.admitIdentity(at(1), 'ci', `other-${String(i)}`, false));
    expect(others.filter((missing) => missing !== 0)).toEqual([2]);
  });
});
