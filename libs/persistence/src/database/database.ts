import { CATALOG_ONLY, createPool, type SessionOptions } from '@mayfly/postgres';
import type pg from 'pg';

/** The address of the database and the settings of its sessions. */
export interface DatabaseOptions {
  readonly url: string;
  /** called when an idle connection breaks */
  readonly onConnectionLost: (error: Error) => void;
  /** the search path, when it is not the server's catalog alone: tests put a clock schema before it */
  readonly searchPath?: string;
}

const SESSION: SessionOptions = {
  applicationName: 'mayfly',
  // INVARIANT: statements qualify Mayfly's tables with their schema, so no other object can stand in for a system
  // object.
  searchPath: CATALOG_ONLY,
  // After this time the answer is too late for every caller.
  statementTimeoutMillis: 15_000,
  // A replica that is frozen or cut off in the middle of a transaction would hold its locks: a lockdown could not end the
  // task that it was renewing, nor any task after it.
  idleInTransactionMillis: 30_000,
};

const LIMITS = {
  max: 12,
  connectionTimeoutMillis: 5_000,
  idleTimeoutMillis: 60_000,
  // A hanging server cannot enforce its own timeout, so the client has one.
  query_timeout: 16_000,
};

/** The connections to PostgreSQL: one pool for all statements. */
export class Database {
  readonly pool: pg.Pool;

  constructor(options: DatabaseOptions) {
    this.pool = createPool(options.url, { ...SESSION, searchPath: options.searchPath ?? CATALOG_ONLY }, LIMITS);
    this.pool.on('error', options.onConnectionLost);
  }

  /** Runs `work` on one connection of the pool. */
  async withClient<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    return work(client).finally(() => {
      client.release();
    });
  }

  async close(): Promise<void> {
    // The pool drops connections before they close. An error of such a connection is harmless.
    this.pool.removeAllListeners('error').on('error', () => undefined);
    if (!this.pool.ended) await this.pool.end();
  }
}
