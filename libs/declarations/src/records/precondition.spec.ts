import { describe, expect, it } from '@jest/globals';
import { MUST_BE_NEW, requireMet } from './precondition.js';

describe('the precondition of a creation', () => {
  it('the precondition of a creation is that nothing of the name is there', () => {
    expect(() => {
      requireMet(MUST_BE_NEW, undefined);
    }).not.toThrow();
    expect(() => {
      requireMet(MUST_BE_NEW, 1);
    }).toThrow('conflict');
  });
});
