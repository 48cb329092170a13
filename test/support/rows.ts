import pg from 'pg';

/** Queries the broker's database directly. Rejects with the database's error. */
export async function rowsOf<Row extends pg.QueryResultRow>(
  url: string,
  statement: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  // A database under test may end idle sessions at once; the sessions of the tests are not what it ends.
  const client = new pg.Client({ connectionString: url, options: '-c idle_session_timeout=0' });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Row>(statement, [...values])).rows;
  } finally {
    await client.end();
  }
}
