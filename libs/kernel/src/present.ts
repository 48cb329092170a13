type Present<Row> = { -readonly [Key in keyof Row]?: Exclude<Row[Key], null | undefined> };

/** The members of an object that hold something: `null` (SQL's NULL) and `undefined` become absent members. */
export function present<Row extends object>(row: Row): Present<Row> {
  return Object.fromEntries(
    Object.entries(row).filter(([, value]) => value !== null && value !== undefined),
  ) as Present<Row>;
}
