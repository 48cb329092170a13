import { describe, expect, it } from '@jest/globals';
import { useAmounts, useLimitsOf } from './uses.js';

describe('useLimitsOf', () => {
  it.each([
    ['a number of uses', { uses: 10 }, { total: { calls: 10 } }],
    ['limits of units', { uses: { rows: 0, bytes: 5, spend: undefined } }, { total: { rows: 0, bytes: 5 } }],
    ['a limit of the minute', { usesPerMinute: 3 }, { total: {}, callsPerMinute: 3 }],
    ['no limit', {}, undefined],
  ])('useLimitsOf reads %s', (_, quota, limits) => {
    expect(useLimitsOf(quota)).toEqual(limits);
  });
});

describe('useAmounts', () => {
  it.each([
    [undefined, { calls: 1, queries: 0, rows: 0, bytes: 0, spend: 0 }],
    [3, { calls: 3, queries: 0, rows: 0, bytes: 0, spend: 0 }],
    [{ rows: 7 }, { calls: 1, queries: 0, rows: 7, bytes: 0, spend: 0 }],
    [
      { calls: 0, bytes: 9 },
      { calls: 0, queries: 0, rows: 0, bytes: 9, spend: 0 },
    ],
  ])('useAmounts of %j counts one call unless it names calls', (uses, amounts) => {
    expect(useAmounts(uses)).toEqual(amounts);
  });
});
