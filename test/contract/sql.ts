import { Client, type ClientConfig, type QueryResultRow } from 'pg';

/** Runs statements in order on a new connection. */
export async function run(url: string, ...statements: readonly string[]): Promise<void> {
  await connected(url, async (client) => {
    for (const statement of statements) await client.query(statement);
  });
}

export function rows<Row extends QueryResultRow>(url: string, statement: string): Promise<Row[]> {
  return connected(url, async (client) => (await client.query<Row>(statement)).rows);
}

/** Opens a session. `ended` resolves when the server ends it. */
export async function openSession(config: string | ClientConfig): Promise<{ client: Client; ended: Promise<Error> }> {
  const client = new Client(typeof config === 'string' ? { connectionString: config } : config);
  const ended = new Promise<Error>((resolve) => client.on('error', resolve));
  await client.connect();
  return { client, ended };
}

async function connected<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const { client } = await openSession(url);
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
