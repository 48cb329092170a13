import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { PrismaClient } from './generated/client.js';

export interface DatabaseOptions {
  readonly url: string;
  /** told about connections that broke while idle */
  readonly onConnectionLost: (error: Error) => void;
}

/** The connections to PostgreSQL: a pool for the one-statement paths, and Prisma over the same pool for all else. */
export class Database {
  readonly pool: pg.Pool;
  readonly prisma: PrismaClient;

  constructor(options: DatabaseOptions) {
    this.pool = new pg.Pool({
      connectionString: options.url,
      max: 12,
      connectionTimeoutMillis: 5_000,
      idleTimeoutMillis: 60_000,
      application_name: 'mayfly',
      // A statement that waits longer than this is not going to be answered in time for anybody.
      statement_timeout: 15_000,
      // A server that hangs keeps no promise of its own: then this process gives up.
      query_timeout: 16_000,
      keepAlive: true,
    });
    this.pool.on('error', options.onConnectionLost);
    // A connection that breaks between two statements of a transaction has nobody else to tell, and would end the process.
    this.pool.on('connect', (client) => client.on('error', () => undefined));
    this.prisma = new PrismaClient({ adapter: new PrismaPg(this.pool) });
  }

  async close(): Promise<void> {
    // The pool lets go of connections before they are closed; that the server cuts one off is no loss any more.
    this.pool.removeAllListeners('error').on('error', () => undefined);
    await this.prisma.$disconnect();
    if (!this.pool.ended) await this.pool.end();
  }
}
