/** The columns of many rows, each as a list of values for `unnest($n::type[])`. */
export type Columns = readonly (readonly unknown[])[];

/** Turns rows into columns, in the order of `pick`. */
export function columnsOf<Row>(rows: readonly Row[], pick: readonly ((row: Row) => unknown)[]): Columns {
  return pick.map((value) => rows.map(value));
}

/** Returns JSON for a `jsonb` column. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value);
}
