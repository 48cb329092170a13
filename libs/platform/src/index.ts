export { startEmbeddedPostgres, type EmbeddedPostgres, type EmbeddedPostgresOptions } from './embedded-postgres.js';
export type { EmbeddedRole } from './embedded-postgres-cluster.js';
export { applyMigrations, type MigrationClient } from './migrations.js';
