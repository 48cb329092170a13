type Present<Row> = { -readonly [Key in keyof Row]?: Exclude<Row[Key], null | undefined> };

/** Returns the object without the members that are `null` (SQL's NULL) or `undefined`. */
export function present<Row extends object>(row: Row): Present<Row> {
  return Object.fromEntries(
    Object.entries(row).filter(([, value]) => value !== null && value !== undefined),
  ) as Present<Row>;
}
