import { describe, expect, it } from '@jest/globals';
import { isId, newId } from './ids.js';

describe('newId', () => {
  it('newId gives an id of its prefix, never the same twice', () => {
    const ids = Array.from({ length: 1_000 }, () => newId('lse'));
    expect(ids.every((id) => isId('lse', id))).toBe(true);
    expect(new Set(ids).size).toBe(1_000);
  });

  it('newId gives ids that sort by the millisecond in which they were made', async () => {
    const first = newId('tsk');
    const start = performance.now();
    while (performance.now() - start < 2);
    expect(newId('tsk') > first).toBe(true);
  });
});

describe('isId', () => {
  const suffix = '01jz9w6q7e8y5vabcdefghjkmn';

  it('isId knows an id', () => {
    expect(isId('lse', `lse_${suffix}`)).toBe(true);
  });

  it.each([
    ['another prefix', `tsk_${suffix}`],
    ['no prefix', suffix],
    ['a longer prefix', `xlse_${suffix}`],
    ['a character too few', `lse_${suffix.slice(1)}`],
    ['a character too many', `lse_${suffix}0`],
    ['capital letters', `lse_${suffix.toUpperCase()}`],
    ['letters that base 32 leaves out', `lse_${suffix.replace('a', 'l')}`],
    ['more than 128 bits', `lse_8${suffix.slice(1)}`],
    ['a line feed behind', `lse_${suffix}\n`],
    ['a path', `lse_../${suffix.slice(3)}`],
    ['nothing', ''],
  ])('isId refuses %s', (_, text) => {
    expect(isId('lse', text)).toBe(false);
  });
});
