import { describe, expect, it } from '@jest/globals';
import { systemCodeOf } from './system-code.js';

describe('systemCodeOf', () => {
  it.each([
    ['a system error', Object.assign(new Error('x'), { code: 'EACCES' }), 'EACCES'],
    ['an error without a code', new Error('x'), undefined],
    ['a code that is no text', { code: 5 }, undefined],
    ['nothing', null, undefined],
  ])('systemCodeOf reads %s', (_, error, code) => {
    expect(systemCodeOf(error)).toBe(code);
  });
});
