/** The values of one column of many rows, for `unnest($n::type[])`. */
export type Columns = readonly (readonly unknown[])[];

/** Turns rows into columns, in the order of `pick`. */
export function columnsOf<Row>(rows: readonly Row[], pick: readonly ((row: Row) => unknown)[]): Columns {
  return pick.map((value) => rows.map(value));
}

/** JSON for a `jsonb` column. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value);
}

type Present<Row> = { -readonly [Key in keyof Row]?: Exclude<Row[Key], null | undefined> };

/** The members of a row that hold something; SQL's NULL becomes an absent member. */
export function present<Row extends object>(row: Row): Present<Row> {
  return Object.fromEntries(
    Object.entries(row).filter(([, value]) => value !== null && value !== undefined),
  ) as Present<Row>;
}
