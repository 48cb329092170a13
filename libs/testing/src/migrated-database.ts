import { fileURLToPath } from 'node:url';
import { applyMigrations, grantRuntimeRole } from '@mayfly/persistence';
import pg from 'pg';
import { startTestPostgres, type TestDatabase } from './test-database.js';

const MIGRATIONS = fileURLToPath(new URL('../../../prisma/migrations', import.meta.url));
const SERVING_ROLE = 'mayfly_app';

/**
 * Makes a database with the tables of the service. The superuser owns them; `url` has the rights of the serving role.
 */
export async function createMigratedDatabase(): Promise<TestDatabase> {
  const database = await (await startTestPostgres()).createDatabase();
  const owner = new pg.Client({ connectionString: database.adminUrl });
  await owner.connect();
  try {
    await applyMigrations(owner, MIGRATIONS);
    await grantRuntimeRole(owner, SERVING_ROLE);
  } finally {
    await owner.end();
  }
  return database;
}
