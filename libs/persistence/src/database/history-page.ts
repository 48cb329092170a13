/** One page of a list, and where the next one starts; no `next` on the last page. */
export interface Page<Item, Position> {
  readonly items: readonly Item[];
  readonly next?: Position;
}

/** Which page: at most `limit` items behind `after`, or from the start. */
export interface PageRequest<Position> {
  readonly limit: number;
  readonly after?: Position | undefined;
}

/** Makes a page out of rows of which one more than `limit` was asked for: that one says that there is a next page. */
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
