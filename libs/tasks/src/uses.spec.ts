import { describe, expect, it } from '@jest/globals';
import { narrowedLimitsOf, useAmounts, useLimitsOf } from './uses.js';

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

describe('narrowedLimitsOf', () => {
  it.each([
    [{}, undefined, undefined],
    [{}, 5, { total: { calls: 5 } }],
    [{ uses: 3 }, undefined, { total: { calls: 3 } }],
    [{ uses: 3 }, 5, { total: { calls: 3 } }],
    [{ uses: 5 }, 3, { total: { calls: 3 } }],
    [{ uses: { rows: 10, calls: 4 } }, { calls: 9, bytes: 7 }, { total: { calls: 4, rows: 10, bytes: 7 } }],
    [{ uses: 9, usesPerMinute: 2 }, 1, { total: { calls: 1 }, callsPerMinute: 2 }],
  ])('narrowedLimitsOf takes the least of %j and %j for each unit', (quota, left, limits) => {
    expect(narrowedLimitsOf(quota, left)).toEqual(limits);
  });
});
