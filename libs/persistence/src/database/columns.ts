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
