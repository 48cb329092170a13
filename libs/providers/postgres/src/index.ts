export { DatabaseSessions } from './database-sessions.js';
export { PostgresProvider } from './postgres.provider.js';
export {
  PostgresConfigSchema,
  type PostgresConfig,
  type PostgresHandle,
  type PostgresScope,
} from './postgres.schemas.js';
export { POSTGRES_REDACTION } from './secret-texts.js';
