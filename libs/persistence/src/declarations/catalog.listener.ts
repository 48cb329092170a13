import { CATALOG_ONLY, createClient, type SessionOptions } from '@mayfly/postgres';
import type pg from 'pg';

const SESSION: SessionOptions = {
  applicationName: 'mayfly catalog',
  searchPath: CATALOG_ONLY,
  statementTimeoutMillis: 0,
  idleInTransactionMillis: 0,
};

/**
 * Listens for hints that another replica has changed declared state. Nothing depends on it: the revision is polled too.
 * Reconnects after a lost connection.
 */
export class CatalogListener {
  private client: pg.Client | undefined;
  private stopped = false;

  constructor(
    private readonly url: string,
    private readonly changed: () => void,
  ) {}

  /**
   * Connects, and reconnects after each loss. Calls `changed` once after each connect, since changes may have been
   * missed.
   */
  async start(): Promise<void> {
    const client = createClient(this.url, SESSION);
    this.client = client;
    client.on('end', () => {
      this.reconnect();
    });
    client.on('notification', () => {
      this.changed();
    });
    await client.connect();
    await client.query('LISTEN mayfly_catalog');
    this.changed();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.client?.end();
  }

  private reconnect(): void {
    if (this.stopped) return;
    setTimeout(() => {
      if (!this.stopped) this.start().catch(() => undefined);
    }, 1_000).unref();
  }
}
