export { createGuardedFetch, type GuardedFetchOptions } from './guarded-fetch.js';
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
export { useStrictBodies } from './body-parsers.js';
export { ConnectionDrain } from './connection-drain.js';
export { RouteMethods } from './route-methods.js';
export { createBoundedServer } from './http-server.js';
export { createLogger, type LoggerOptions } from './logging.js';
export { Metrics, type IssuanceOutcome, type MetricSources, type ProviderOperation } from './metrics.js';
export { ProblemFilter } from './problem.filter.js';
export { PROBLEM_TABLE, renderErrorAt, renderProblem, type RenderedProblem } from './problem-table.js';
export { redactText } from './redaction.js';
export { parseStrictJson } from './strict-json.js';
export { validationProblem } from './validation-problem.js';
export { readOrCreateSecretFile } from './secret-file.js';
export { LeaseQueue, type LeaseJob, type QueueLog } from './queue.js';
export { postgresBackend, redisBackend, type QueueBackend } from './queue-backend.js';
