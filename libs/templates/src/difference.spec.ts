import { describe, expect, it } from '@jest/globals';
import type { Json } from '@mayfly/kernel';
import fc from 'fast-check';
import { diffSpecs, type Difference } from './difference.js';

describe('diffSpecs', () => {
  it.each<[string, Json, Json, Difference[]]>([
    ['nothing for equal trees in another key order', { a: 1, b: [2] }, { b: [2], a: 1 }, []],
    ['a changed value', { a: { b: 1 } }, { a: { b: 2 } }, [{ pointer: '/a/b', before: 1, after: 2 }]],
    ['an added key', {}, { a: null }, [{ pointer: '/a', after: null }]],
    ['a removed key', { a: { b: 1 } }, {}, [{ pointer: '/a', before: { b: 1 } }]],
    ['a longer list', { a: [1] }, { a: [1, 2] }, [{ pointer: '/a/1', after: 2 }]],
    ['another type', { a: [1] }, { a: { 0: 1 } }, [{ pointer: '/a', before: [1], after: { 0: 1 } }]],
    ['keys that need escaping', { 'a/b~': 1 }, { 'a/b~': 2 }, [{ pointer: '/a~1b~0', before: 1, after: 2 }]],
    [
      'two places in sorted order',
      { b: 1, a: 1 },
      { b: 2, a: 2 },
      [
        { pointer: '/a', before: 1, after: 2 },
        { pointer: '/b', before: 1, after: 2 },
      ],
    ],
  ])('diffSpecs says %s', (_, before, after, differences) => {
    expect(diffSpecs(before, after)).toEqual(differences);
  });

  it('diffSpecs keeps list places in number order', () => {
    const list = Array.from({ length: 11 }, (_, i) => i);
    const pointers = diffSpecs(
      list,
      list.map((i) => i + 1),
    ).map(({ pointer }) => pointer);
    expect(pointers).toEqual(list.map((i) => `/${String(i)}`));
  });

  it('diffSpecs is empty exactly for equal documents', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        expect(diffSpecs(a as Json, a as Json)).toEqual([]);
        const isEqual = JSON.stringify(a) === JSON.stringify(b);
        if (!isEqual && typeof a !== typeof b) expect(diffSpecs(a as Json, b as Json)).not.toEqual([]);
      }),
    );
  });
});
