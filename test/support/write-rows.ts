// A service that can be killed: starts the embedded PostgreSQL in the directory given and writes rows for ever, printing
// how many were acknowledged.
import { startEmbeddedPostgres } from '@mayfly/embedded';
import pg from 'pg';

const [dataDir = ''] = process.argv.slice(2);
const postgres = await startEmbeddedPostgres({ dataDir });
const client = new pg.Client({ connectionString: postgres.url('mayfly', 'postgres') });
client.on('error', () => undefined); // the server may be killed first
await client.connect();
await client.query('CREATE TABLE IF NOT EXISTS written (n int)');
console.log('started');
for (let n = 1; ; n++) {
  await client.query('INSERT INTO written VALUES ($1)', [n]);
  console.log(n);
}
