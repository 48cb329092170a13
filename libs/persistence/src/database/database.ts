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

/** A database keeps its oid, and a server the instant of its start, for as long as a session can live. */
const INCARNATION = `SELECT d.oid::text || ' ' || extract(epoch FROM pg_postmaster_start_time())::text AS incarnation
  FROM pg_catalog.pg_database d WHERE d.datname = current_database()`;

/** The connections to PostgreSQL: one pool for all statements. */
export class Database {
  readonly pool: pg.Pool;
  private newest = '';

  constructor(options: DatabaseOptions) {
    const session = {
      ...SESSION,
      searchPath: options.searchPath ?? CATALOG_ONLY,
      onOpen: async (client: pg.Client): Promise<void> => {
        const { rows } = await client.query<{ incarnation: string }>(INCARNATION);
        this.newest = rows[0]?.incarnation ?? '';
      },
    };
    this.pool = createPool(options.url, session, LIMITS);
    this.pool.on('error', options.onConnectionLost);
  }

  /**
   * Names the server run and the database of the newest session. It changes when another database has taken the place of
   * this one, before a statement can reach it. Empty before the first session.
   */
  readonly incarnation = (): string => this.newest;

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
