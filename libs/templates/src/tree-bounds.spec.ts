import { describe, expect, it } from '@jest/globals';
import { findUnsafe } from './tree-bounds.js';

const bounds = { maxDepth: 3, maxNodes: 6 };

describe('findUnsafe', () => {
  it.each<[string, unknown]>([
    ['a text', 'x'],
    ['three levels', { a: { b: [1] } }],
    ['as many values as allowed', [1, 2, 3, 4, 5]],
    ['an object without a prototype', Object.assign(Object.create(null) as object, { a: 1 })],
  ])('findUnsafe accepts %s', (_, value) => {
    expect(findUnsafe(value, bounds)).toBeUndefined();
  });

  it.each<[string, unknown, string]>([
    ['a fourth level', { a: { b: { c: {} } } }, '/a/b/c'],
    ['one value too many', [1, 2, 3, 4, 5, 6], '/5'],
    ['a reserved key deep inside', JSON.parse('{"a":{"__proto__":1}}'), '/a/__proto__'],
    ['`constructor`', { constructor: 1 }, '/constructor'],
    ['`prototype`', { prototype: 1 }, '/prototype'],
    ['NaN', { a: NaN }, '/a'],
    ['an absent value', { a: undefined }, '/a'],
    ['NUL in a text', { a: 'x\u0000' }, '/a'],
    ['half a character', { a: '\ud800' }, '/a'],
    ['NUL in a key', { a: { 'b\u0000': 1 } }, '/a'],
    ['a function', { a: () => 1 }, '/a'],
    ['an object of a class', { a: new Date(0) }, '/a'],
  ])('findUnsafe points at %s', (_, value, pointer) => {
    expect(findUnsafe(value, bounds)?.pointer).toBe(pointer);
  });

  it('findUnsafe answers for a tree far deeper than the stack', () => {
    const deep = JSON.parse('['.repeat(5_000) + ']'.repeat(5_000)) as unknown;
    expect(findUnsafe(deep, { maxDepth: 16, maxNodes: 100_000 })?.detail).toMatch(/nested too deeply/);
  });
});
