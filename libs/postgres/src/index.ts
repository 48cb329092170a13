export { databaseIn } from './database-name.js';
export { createClient, createPool, sessionConfig, type PoolLimits, type SessionConfig } from './session.js';
export { CATALOG_ONLY, STORE_SCHEMA, type SessionOptions } from './session-settings.js';
