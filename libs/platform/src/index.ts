export { startEmbeddedPostgres, type EmbeddedPostgres, type EmbeddedPostgresOptions } from './embedded-postgres.js';
export type { EmbeddedRole } from './embedded-postgres-cluster.js';
export { applyMigrations, type MigrationClient } from './migrations.js';
export { prepareDemoDatabase } from './demo-database.js';
export {
  developmentIssuer,
  type DevelopmentIssuer,
  type DevelopmentIssuerDocument,
  type DevelopmentIssuerOptions,
  type DevelopmentTokenOrder,
} from './development-issuer.js';
