import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import type { DatabaseRole } from './namespace.js';

/** The server's revocation statement for roles without one; it ends no session. */
const DEFAULT_REVOCATION = ['DROP ROLE IF EXISTS "{{name}}"'];
/** VALID UNTIL is the end of the lease plus this margin. */
const MARGIN_MS = 5_000;

export interface MadeUser {
  readonly username: string;
  readonly password: string;
}

/** The database engine. It creates and drops real PostgreSQL roles, one call at a time, as the plugin does. */
export class DatabaseEngine {
  /** true: the database seems unreachable */
  isDown = false;
  newPassword = (): string => randomBytes(15).toString('hex').slice(0, 20);
  private queue: Promise<unknown> = Promise.resolve();

  async create(url: string, name: string, role: DatabaseRole, display: string, expiresAt: number): Promise<MadeUser> {
    const random = randomBytes(15).toString('base64url').replace(/[-_]/g, 'x').slice(0, 20);
    const stamp = String(Math.floor(Date.now() / 1000));
    const username = `v-${display.slice(0, 8)}-${name.slice(0, 8)}-${random}-${stamp}`;
    const password = this.newPassword();
    const values = { name: username, username, password, expiration: instant(expiresAt) };
    await this.run(url, role.creation, values);
    return { username, password };
  }

  drop(url: string, role: DatabaseRole, { username }: MadeUser): Promise<void> {
    const statements = role.revocation.length === 0 ? DEFAULT_REVOCATION : role.revocation;
    return this.run(url, statements, { name: username, username });
  }

  stretch(url: string, { username }: MadeUser, expiresAt: number): Promise<void> {
    const statement = `ALTER ROLE "{{name}}" VALID UNTIL '{{expiration}}'`;
    return this.run(url, [statement], { name: username, expiration: instant(expiresAt) });
  }

  /** Waits for the calls that were made. The timers of leases may call later; nothing is done for them. */
  async stop(): Promise<void> {
    this.isDown = true;
    await this.queue;
  }

  private run(url: string, statements: readonly string[], values: Record<string, string>): Promise<void> {
    const turn = this.queue.then(() => this.execute(url, statements, values));
    this.queue = turn.catch(() => undefined);
    return turn;
  }

  private async execute(url: string, statements: readonly string[], values: Record<string, string>): Promise<void> {
    const { host, username, pathname } = new URL(url);
    if (this.isDown)
      throw new Error(
        `failed to connect to \`user=${username} database=${pathname.slice(1)}\`: ${host}: dial error: dial tcp ${host}: connect: connection refused`,
      );
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      await client.query('BEGIN');
      for (const statement of statements)
        await client.query(statement.replace(/\{\{(\w+)\}\}/g, (_, key: string) => values[key] ?? ''));
      await client.query('COMMIT');
    } finally {
      await client.end();
    }
  }
}

function instant(expiresAt: number): string {
  return new Date(expiresAt + MARGIN_MS).toISOString();
}
