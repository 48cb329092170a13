import { describe, expect, it } from '@jest/globals';
import { addSeconds, earliest } from './clock.js';

const AT = new Date('2030-01-01T00:00:00.250Z');

describe('addSeconds', () => {
  it.each([
    [60, '2030-01-01T00:01:00.250Z'],
    [0.5, '2030-01-01T00:00:00.750Z'],
    [-1, '2029-12-31T23:59:59.250Z'],
    [0, '2030-01-01T00:00:00.250Z'],
  ])('addSeconds moves an instant by %d s', (seconds, expected) => {
    expect(addSeconds(AT, seconds).toISOString()).toBe(expected);
    expect(AT.toISOString()).toBe('2030-01-01T00:00:00.250Z');
  });
});

describe('earliest', () => {
  it('earliest gives the least instant in any order, and ignores absent ones', () => {
    const [sooner, later] = [addSeconds(AT, -5), addSeconds(AT, 5)];
    expect(earliest(AT, later, undefined, sooner)).toBe(sooner);
    expect(earliest(sooner, AT)).toBe(sooner);
    expect(earliest(AT, undefined)).toBe(AT);
  });
});
