import type { Page } from '@mayfly/kernel';

/** Builds a page from up to `limit` + 1 rows. The extra row shows that a next page exists. */
export function pageOf<Row, Item, Position>(
  rows: readonly Row[],
  limit: number,
  itemOf: (row: Row) => Item,
  positionOf: (row: Row) => Position,
): Page<Item, Position> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    items: shown.map(itemOf),
    ...(last !== undefined && rows.length > limit ? { next: positionOf(last) } : {}),
  };
}
