import { rowsOf } from './rows.js';

/**
 * Every row of every table of a database as text, `schema.table` first; that of queues too. `bytea` columns are in it as
 * hexadecimal digits, as PostgreSQL writes them.
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
