// A process for crash tests: starts the embedded PostgreSQL in the given directory, writes rows forever, and prints the
// number of acknowledged rows.
import { startEmbeddedPostgres } from '@mayfly/embedded';
import pg from 'pg';

const [dataDir = ''] = process.argv.slice(2);
const postgres = await startEmbeddedPostgres({ dataDir });
const client = new pg.Client({ connectionString: postgres.url('mayfly', 'postgres') });
client.on('error', () => undefined); // the server may die first
await client.connect();
await client.query('CREATE TABLE IF NOT EXISTS written (n int)');
console.log('started');
for (let n = 1; ; n++) {
  await client.query('INSERT INTO written VALUES ($1)', [n]);
  console.log(n);
}
