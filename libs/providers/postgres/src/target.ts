import type { Client, Pool, PoolClient } from 'pg';
import { unlessAborted } from '@mayfly/credentials';
import { CATALOG_ONLY, createClient, createPool, type SessionOptions } from '@mayfly/postgres';
import { NotConnected } from './errors.js';
import { guardedSocket } from './guarded-socket.js';
import { factsOf, type ServerFacts } from './server-facts.js';
import type { Session } from './session.js';

/** A connection's URL, the role that its login works as, and the authority of its server. */
export interface TargetAddress {
  readonly url: string;
  /** the role for `SET ROLE` in every session; without it, the login works as itself */
  readonly role?: string | undefined;
  /** PEM certificate of the authority that signed the server's */
  readonly sslRootCert?: string | undefined;
}

/** The settings of the sessions. The timeouts make the server end a statement whose client has gone. */
const SESSION: SessionOptions = {
  applicationName: 'mayfly',
  searchPath: CATALOG_ONLY,
  statementTimeoutMillis: 30_000,
  idleInTransactionMillis: 30_000,
  openSocket: () => guardedSocket(),
};

/** One server as a connection names it: a few pooled connections, and the facts read over them. */
export class DatabaseTarget {
  /** verified scope roles; forgotten with the connections, so that drift is detected again */
  readonly verifiedScopes = new Set<string>();
  private readonly factsBySession = new WeakMap<Session, ServerFacts>();
  private readonly pool: Pool;

  constructor(
    private readonly address: TargetAddress,
    max: number,
    { idleSeconds = 60, onEmpty = () => undefined }: { idleSeconds?: number; onEmpty?: () => void } = {},
  ) {
    const idleTimeoutMillis = idleSeconds * 1000;
    this.pool = createPool(address.url, sessionOf(address), { max, idleTimeoutMillis, allowExitOnIdle: true });
    // an idle connection that breaks is dropped; on a broken connection in use, the query rejects
    this.pool.on('error', () => undefined);
    this.pool.on('remove', () => {
      if (this.pool.totalCount === 0) onEmpty();
    });
  }

  /**
   * Lends a connection to `work`. Rejects as soon as `signal` aborts. Closes the connection after an abort or any
   * error; the server may still complete the statement. Throws `NotConnected` when no statement was sent.
   */
  async use<T>(signal: AbortSignal, work: (session: Session) => Promise<T>): Promise<T> {
    const client = await this.checkOut(signal).catch((error: unknown) => {
      throw new NotConnected(error);
    });
    try {
      const result = await unlessAborted(signal, work(client));
      client.release();
      return result;
    } catch (error) {
      client.release(true);
      throw error;
    }
  }

  /** Opens a new connection, which the caller ends. Throws `NotConnected`. */
  async connect(signal: AbortSignal): Promise<Client> {
    const client = createClient(this.address.url, sessionOf(this.address));
    try {
      await unlessAborted(signal, client.connect());
      return client;
    } catch (error) {
      void client.end().catch(() => undefined);
      throw new NotConnected(error);
    }
  }

  /** Reads the facts once for each connection. */
  async facts(session: Session): Promise<ServerFacts> {
    const known = this.factsBySession.get(session);
    if (known !== undefined) return known;
    const facts = await factsOf(session);
    this.factsBySession.set(session, facts);
    return facts;
  }

  get isConnected(): boolean {
    return this.pool.totalCount > 0;
  }

  close(): Promise<void> {
    return this.pool.end();
  }

  private async checkOut(signal: AbortSignal): Promise<PoolClient> {
    signal.throwIfAborted();
    const pending = this.pool.connect();
    try {
      return await unlessAborted(signal, pending);
    } catch (error) {
      void pending.then(
        (client) => {
          client.release();
        },
        () => undefined,
      );
      throw error;
    }
  }
}

/** The targets in use, each with at most `max` connections. Forgets a target that has no connections left. */
export class DatabaseTargets {
  private readonly byAddress = new Map<string, DatabaseTarget>();

  constructor(private readonly max: number) {}

  at(address: TargetAddress): DatabaseTarget {
    const key = addressKey(address);
    const known = this.byAddress.get(key);
    if (known !== undefined) return known;
    const target = new DatabaseTarget(address, this.max, { onEmpty: () => this.byAddress.delete(key) });
    this.byAddress.set(key, target);
    return target;
  }

  async close(): Promise<void> {
    const targets = [...this.byAddress.values()];
    this.byAddress.clear();
    await Promise.all(targets.map((target) => target.close()));
  }
}

/** Returns a key that is equal for addresses with the same URL, role and authority. */
export function addressKey({ url, role, sslRootCert }: TargetAddress): string {
  return JSON.stringify([url, role ?? null, sslRootCert ?? null]);
}

function sessionOf({ role, sslRootCert }: TargetAddress): SessionOptions {
  return {
    ...SESSION,
    ...(role === undefined ? {} : { role }),
    ...(sslRootCert === undefined ? {} : { authority: sslRootCert }),
  };
}
