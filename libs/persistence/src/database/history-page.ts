/** One page of a list, with the position of the next page; the last page has no `next`. */
export interface Page<Item, Position> {
  readonly items: readonly Item[];
  readonly next?: Position;
}

/** The request for a page: at most `limit` items after `after`, or from the start. */
export interface PageRequest<Position> {
  readonly limit: number;
  readonly after?: Position | undefined;
}

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
