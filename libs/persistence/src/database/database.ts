import { PrismaPg } from '@prisma/adapter-pg';
import { CATALOG_ONLY, createPool, type SessionOptions } from '@mayfly/postgres';
import type pg from 'pg';
import { PrismaClient } from '../generated/client.js';

export interface DatabaseOptions {
  readonly url: string;
  /** told about connections that broke while idle */
  readonly onConnectionLost: (error: Error) => void;
  /** where names are looked up, where that is not the server's catalog alone: a clock of tests stands before it */
  readonly searchPath?: string;
}

const SESSION: SessionOptions = {
  applicationName: 'mayfly',
  // INVARIANT: statements name our tables by their schema: nothing that stands in it is mistaken for the server's own.
  searchPath: CATALOG_ONLY,
  // A statement that waits longer than this is not going to be answered in time for anybody.
  statementTimeoutMillis: 15_000,
  idleInTransactionMillis: 0,
};

const LIMITS = {
  max: 12,
  connectionTimeoutMillis: 5_000,
  idleTimeoutMillis: 60_000,
  // A server that hangs keeps no promise of its own: then this process gives up.
  query_timeout: 16_000,
};

/** The connections to PostgreSQL: a pool for the one-statement paths, and Prisma over the same pool for all else. */
export class Database {
  readonly pool: pg.Pool;
  readonly prisma: PrismaClient;

  constructor(options: DatabaseOptions) {
    this.pool = createPool(options.url, { ...SESSION, searchPath: options.searchPath ?? CATALOG_ONLY }, LIMITS);
    this.pool.on('error', options.onConnectionLost);
    this.prisma = new PrismaClient({ adapter: new PrismaPg(this.pool) });
  }

  async close(): Promise<void> {
    // The pool lets go of connections before they are closed; that the server cuts one off is no loss any more.
    this.pool.removeAllListeners('error').on('error', () => undefined);
    await this.prisma.$disconnect();
    if (!this.pool.ended) await this.pool.end();
  }
}
