import pg from 'pg';
import { rowsOf } from './rows.js';

/**
 * Returns every column of every row of every table of a database as text, with `schema.table` first, including queue
 * tables. `bytea` columns appear as hexadecimal digits; no other column is escaped.
 */
export async function everyRow(url: string): Promise<readonly string[]> {
  const tables = await rowsOf<{ name: string }>(
    url,
    `SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.tables
     WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')`,
  );
  const client = new pg.Client({ connectionString: url, options: '-c idle_session_timeout=0' });
  await client.connect();
  try {
    const rows: string[] = [];
    for (const { name } of tables) rows.push(...(await rowsIn(client, name)));
    return rows;
  } finally {
    await client.end();
  }
}

/** Reads each column in the text form of the server, as a dump of the table has it. */
async function rowsIn(client: pg.Client, table: string): Promise<readonly string[]> {
  const types = { getTypeParser: () => (text: unknown) => text };
  const { rows } = await client.query<unknown[]>({ text: `SELECT * FROM ${table}`, rowMode: 'array', types });
  return rows.map((row) => [table, ...row.map(String)].join(' '));
}
