import { rowsOf } from './rows.js';

/**
 * Returns every row of every table of a database as text, with `schema.table` first, including queue tables. `bytea`
 * columns appear as hexadecimal digits.
 */
export async function everyRow(url: string): Promise<readonly string[]> {
  const tables = await rowsOf<{ name: string }>(
    url,
    `SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.tables
     WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')`,
  );
  const rows = await Promise.all(
    tables.map(async ({ name }) => {
      const found = await rowsOf<{ text: string }>(url, `SELECT t::text AS text FROM ${name} AS t`);
      return found.map(({ text }) => `${name} ${text}`);
    }),
  );
  return rows.flat();
}
