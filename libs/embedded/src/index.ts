export { prepareDemoDatabase } from './demo-database.js';
export { developmentIssuer, type DevelopmentIssuer, type DevelopmentTokenOrder } from './development-issuer.js';
export { startEmbeddedPostgres, type EmbeddedPostgres } from './embedded-postgres.js';
export { readIfPresent, readOrCreateSecretFile } from './secret-file.js';
