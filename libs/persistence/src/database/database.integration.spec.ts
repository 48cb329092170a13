import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestPostgres, type TestDatabase } from '@mayfly/testing';
import type pg from 'pg';
import { Database } from './database.js';
import { inTransaction } from './transaction.js';

let place: TestDatabase;
let database: Database;
beforeAll(async () => {
  const postgres = await startTestPostgres();
  place = await postgres.createDatabase();
  database = new Database({ url: place.url, onConnectionLost: () => undefined });
});
afterAll(async () => {
  await database.close();
  await place.drop();
});

/** Ends a session from another one, as a server that stops does, and waits until its client knows. */
async function end(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  // not `once` of node:events, which would listen for the error, too
  const gone = new Promise((resolve) => client.once('end', resolve));
  await database.pool.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
  await gone;
}

describe('a connection that breaks', () => {
  it('between two statements of a transaction fails the transaction, and not the process', async () => {
    const broken = inTransaction(database.pool, async (client) => {
      await end(client);
      await client.query('SELECT 1');
    });
    await expect(broken).rejects.toThrow();
    await expect(database.pool.query('SELECT 1')).resolves.toBeDefined();
  });
});
