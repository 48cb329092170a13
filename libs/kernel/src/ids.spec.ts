import { describe, expect, it } from '@jest/globals';
import { TypeID } from 'typeid-js';
import { CELL, cellOf, type IdPrefix, isId, newId } from './ids.js';

const PREFIXES: readonly IdPrefix[] = ['tsk', 'lse', 'agt', 'aud', 'req'];

describe('newId', () => {
  it('newId gives an id of its prefix, never the same twice', () => {
    const ids = Array.from({ length: 1_000 }, () => newId('lse'));
    expect(ids.every((id) => isId('lse', id))).toBe(true);
    expect(new Set(ids).size).toBe(1_000);
  });

  it('newId gives ids that sort in the order in which they were made', () => {
    const ids = Array.from({ length: 20_000 }, () => newId('lse'));
    expect(ids.toSorted()).toEqual(ids);
  });
});

describe('the UUID in an id', () => {
  it.each(PREFIXES)(
    'the UUID in an id of %s is read by another implementation, with its version, its variant and its time',
    (prefix) => {
      const version = prefix === 'tsk' || prefix === 'lse' ? '8' : '7';
      for (let n = 0; n < 2_000; n += 1) {
        const before = Date.now();
        const uuid = TypeID.fromString(newId(prefix)).toUUID();
        expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-[78][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        expect(uuid[14]).toBe(version);
        const time = parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16);
        expect(time).toBeGreaterThanOrEqual(before - 1);
        expect(time).toBeLessThanOrEqual(Date.now() + 1);
      }
    },
  );

  it.each([0, 1, 0x0ab, 0xfff])('the UUID in an id carries cell %i', (cell) => {
    const hex = cell.toString(16).padStart(3, '0');
    const uuid = `01890a5d-ac96-8${hex}-9c4b-0123456789ab`;
    expect(cellOf(TypeID.fromUUID('tsk', uuid).toString())).toBe(cell);
  });

  it('an id of before ids had a cell (version 7) is of cell 0, whatever its random bits', () => {
    expect(cellOf(TypeID.fromUUID('tsk', '01890a5d-ac96-7fff-9c4b-0123456789ab').toString())).toBe(0);
  });

  it('the id of a new task carries the cell of this process', () => {
    expect(cellOf(newId('tsk'))).toBe(CELL);
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
