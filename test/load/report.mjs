// Tables of measured numbers. `npm run measure` collects the rows of all scripts into one table, by the file in MEASURE_ROWS.
import { appendFileSync } from 'node:fs';

/** Prints rows `{what, measured, aim?}`. */
export function report(rows) {
  console.table(rows);
  const { MEASURE_ROWS } = process.env;
  if (MEASURE_ROWS !== undefined) appendFileSync(MEASURE_ROWS, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
}
