import { createClient, type SessionOptions } from '@mayfly/postgres';
import type pg from 'pg';

const SESSION: SessionOptions = {
  applicationName: 'mayfly demo',
  searchPath: 'public,pg_temp',
  statementTimeoutMillis: 0,
  idleInTransactionMillis: 0,
};

/** One session at the demo's database, opened with an agent's credential. */
export class DatabaseSession {
  private ended: Promise<void>;

  private constructor(private readonly client: pg.Client) {
    this.ended = new Promise((resolve) => client.once('end', resolve));
  }

  /** Logs in. Rejects with the error of the driver. */
  static async open(url: string): Promise<DatabaseSession> {
    const client = createClient(url, SESSION);
    const session = new DatabaseSession(client);
    await client.connect();
    return session;
  }

  /** Returns the number of rows of a table. Rejects when the target refuses. */
  async count(table: string): Promise<number> {
    const { rows } = await this.client.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${table}`);
    return rows[0]?.count ?? 0;
  }

  /** True when the target itself refuses this table with SQLSTATE 42501 (insufficient privilege). */
  async isRefused(table: string): Promise<boolean> {
    return this.count(table).then(
      () => false,
      (error: unknown) => error instanceof Error && 'code' in error && error.code === '42501',
    );
  }

  /** True when the target has a role of this name. */
  async roleExists(name: string): Promise<boolean> {
    return (await this.client.query('SELECT FROM pg_roles WHERE rolname = $1', [name])).rowCount === 1;
  }

  /** Begins a transaction and leaves it open, as a working agent would. */
  async stayInTransaction(): Promise<void> {
    await this.client.query('BEGIN');
  }

  /** Resolves when the target has closed the session. */
  untilDead(): Promise<void> {
    return this.ended;
  }

  async close(): Promise<void> {
    await this.client.end();
  }
}

/** True when the target refuses a new login with this URL. */
export async function isLoginRefused(url: string): Promise<boolean> {
  return DatabaseSession.open(url).then(
    async (session) => {
      await session.close();
      return false;
    },
    (error: unknown) => error instanceof Error && 'code' in error && String(error.code).startsWith('28'),
  );
}
