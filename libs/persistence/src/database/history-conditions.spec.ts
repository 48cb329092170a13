import { describe, expect, it } from '@jest/globals';
import { Conditions } from './history-conditions.js';

describe('the conditions of a query', () => {
  it('the conditions of a query give no clause where nothing was asked for', () => {
    expect(new Conditions().add('a = ?', undefined).where).toBe('');
  });

  it('the conditions of a query join by "and" and keep each value out of the text', () => {
    const conditions = new Conditions().add('a = ?', `x' OR true --`).add('(b, c) < (?::int, ?)', 2, 'three');
    expect(conditions.where).toBe('WHERE a = $1 AND (b, c) < ($2::int, $3)');
    expect(conditions.values).toEqual([`x' OR true --`, 2, 'three']);
  });

  it('the conditions of a query leave out a condition that lacks one of its values', () => {
    expect(new Conditions().add('(b, c) < (?, ?)', 2, undefined).values).toEqual([]);
  });

  it('the conditions of a query place further values behind those of the clause', () => {
    const conditions = new Conditions().add('a = ?', 1);
    expect(conditions.parameter(50)).toBe('$2');
    expect(conditions.values).toEqual([1, 50]);
  });
});
