import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '@mayfly/kernel';

/** One database session, such as a connected client of `pg`. A text without values may hold many statements. */
export interface MigrationClient {
  /** Runs SQL. Returns the rows of a single statement. */
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
}

interface LedgerRow {
  readonly migration_name: string;
  readonly checksum: string;
  readonly finished_at: Date | null;
}

interface Migration {
  readonly name: string;
  readonly sql: string;
  readonly checksum: string;
}

/** The advisory lock that Prisma's own `migrate` takes, so that its CLI and a starting service wait for each other. */
const PRISMA_MIGRATE_LOCK = 72707369;

/** Prisma's ledger with the same columns, so that `prisma migrate status` and `deploy` work with it. */
const LEDGER = `
  CREATE TABLE IF NOT EXISTS "_prisma_migrations" (
    "id" VARCHAR(36) PRIMARY KEY NOT NULL,
    "checksum" VARCHAR(64) NOT NULL,
    "finished_at" TIMESTAMPTZ,
    "migration_name" VARCHAR(255) NOT NULL,
    "logs" TEXT,
    "rolled_back_at" TIMESTAMPTZ,
    "started_at" TIMESTAMPTZ NOT NULL DEFAULT now(),
    "applied_steps_count" INTEGER NOT NULL DEFAULT 0
  )`;

/**
 * Applies the missing migrations of `directory` (`<name>/migration.sql`, in the order of their names) in one
 * transaction, under a lock, and returns the names applied. A failure changes nothing. When many instances start
 * together, one applies and the others wait. Throws Problem `conflict` when a migration was edited after it was
 * applied, or failed in Prisma's CLI.
 */
export async function applyMigrations(client: MigrationClient, directory: string): Promise<readonly string[]> {
  const migrations = readMigrations(directory);
  await client.query('BEGIN');
  try {
    await client.query(`SELECT pg_advisory_xact_lock(${String(PRISMA_MIGRATE_LOCK)})`);
    const pending = await findPending(client, migrations);
    for (const migration of pending) await applyOne(client, migration);
    await client.query('COMMIT');
    return pending.map(({ name }) => name);
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined); // a lost connection has rolled back already
    throw error;
  }
}

function readMigrations(directory: string): readonly Migration[] {
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({ name, file: join(directory, name, 'migration.sql') }))
    .filter(({ file }) => existsSync(file))
    .map(({ name, file }) => ({ name, sql: readFileSync(file, 'utf8') }))
    .map((entry) => ({ ...entry, checksum: createHash('sha256').update(entry.sql).digest('hex') }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function findPending(client: MigrationClient, migrations: readonly Migration[]): Promise<readonly Migration[]> {
  await client.query(LEDGER);
  const { rows } = await client.query(
    'SELECT migration_name, checksum, finished_at FROM "_prisma_migrations" WHERE rolled_back_at IS NULL',
  );
  const ledger = new Map((rows as LedgerRow[]).map((row) => [row.migration_name, row]));
  return migrations.filter((migration) => isPending(migration, ledger.get(migration.name)));
}

function isPending({ name, checksum }: Migration, applied: LedgerRow | undefined): boolean {
  if (applied === undefined) return true;
  if (applied.finished_at === null) {
    throw new Problem(
      'conflict',
      `migration \`${name}\` failed before its end: repair it with \`prisma migrate resolve\``,
    );
  }
  if (applied.checksum !== checksum) {
    throw new Problem(
      'conflict',
      `migration \`${name}\` was edited after it was applied: restore it and add a new one`,
    );
  }
  return false;
}

async function applyOne(client: MigrationClient, { name, sql, checksum }: Migration): Promise<void> {
  await client.query(sql);
  await client.query(
    `INSERT INTO "_prisma_migrations" (id, checksum, finished_at, migration_name, applied_steps_count)
     VALUES ($1, $2, clock_timestamp(), $3, 1)`,
    [randomUUID(), checksum, name],
  );
}
