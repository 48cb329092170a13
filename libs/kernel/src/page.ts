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
