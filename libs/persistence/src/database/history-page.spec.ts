import { describe, expect, it } from '@jest/globals';
import { pageOf } from './history-page.js';

const page = (rows: readonly number[], limit: number) =>
  pageOf(
    rows,
    limit,
    (row) => `item ${String(row)}`,
    (row) => row,
  );

describe('a page', () => {
  it.each([
    ['no row', [], { items: [] }],
    ['fewer rows than the limit', [1], { items: ['item 1'] }],
    ['exactly the limit', [1, 2], { items: ['item 1', 'item 2'] }],
    ['one row more than the limit', [1, 2, 3], { items: ['item 1', 'item 2'], next: 2 }],
  ])('a history page is cut from %s', (_, rows, expected) => {
    expect(page(rows, 2)).toEqual(expected);
  });
});
