import { Pool, type PoolClient, type PoolConfig } from 'pg';
import { parseIntoClientConfig } from 'pg-connection-string';
import { unlessAborted } from '@mayfly/credentials';

/** What is sent to the server over one connection of the pool. */
export type Session = Pick<PoolClient, 'query'>;

/** What a connection leads to, for as long as it lasts; another one under the same URL may lead elsewhere. */
export interface ServerFacts {
  /** `server_version_num`, such as 180004 */
  readonly version: number;
  /**
   * `<system identifier>/<oid of the database>`, or `role <oid of the connection's role>/…` where that role may not call
   * `pg_control_system`. A copy of the server's files has the same, be it a standby or an old snapshot.
   */
  readonly identity: string;
}

const FACTS = `
  SELECT current_setting('server_version_num')::int AS version,
         (SELECT oid::text FROM pg_database WHERE datname = current_database()) AS database,
         (SELECT oid::text FROM pg_roles WHERE rolname = current_user) AS role,
         has_function_privilege('pg_control_system()', 'EXECUTE') AS "isOpen"`;

const SYSTEM = 'SELECT system_identifier::text AS system FROM pg_control_system()';

const POOL = {
  application_name: 'mayfly',
  idleTimeoutMillis: 60_000,
  connectionTimeoutMillis: 10_000,
  // a bound of the server's own, for statements whose sender has gone
  statement_timeout: 30_000,
  idle_in_transaction_session_timeout: 30_000,
  allowExitOnIdle: true,
} as const;

/**
 * Where the names in our statements are looked up, whatever the role or the database has set: anywhere else, an agent
 * that may create things could put its own function in the place of the server's, for Mayfly to run with its rights.
 */
const SEARCH_PATH = '-c search_path=pg_catalog,pg_temp';

/** One server as a connection names it: a few pooled connections, and what was learnt over them. */
export class Target {
  /** scope roles found in order; forgotten with the connections, so that drift is looked for again */
  readonly verifiedScopes = new Set<string>();
  private readonly factsBySession = new WeakMap<Session, ServerFacts>();

  constructor(private readonly pool: Pool) {}

  /**
   * Lends a connection to `work`. Rejects as soon as `signal` aborts; the connection is then closed, as it is after any
   * error, and what the server was doing may or may not still happen.
   */
  async use<T>(signal: AbortSignal, work: (session: Session) => Promise<T>): Promise<T> {
    const client = await this.checkOut(signal);
    try {
      const result = await unlessAborted(signal, work(client));
      client.release();
      return result;
    } catch (error) {
      client.release(true);
      throw error;
    }
  }

  /** Asked once for each connection. */
  async facts(session: Session): Promise<ServerFacts> {
    const known = this.factsBySession.get(session);
    if (known !== undefined) return known;
    const facts = await factsOf(session);
    this.factsBySession.set(session, facts);
    return facts;
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

/** The targets in use, by connection URL, each with at most `max` connections. One without connections is forgotten. */
export class Targets {
  private readonly byUrl = new Map<string, Target>();

  constructor(private readonly max: number) {}

  at(url: string): Target {
    const known = this.byUrl.get(url);
    if (known !== undefined) return known;
    const pool = new Pool(poolConfig(url, this.max));
    const target = new Target(pool);
    // a connection that breaks while nobody waits for it is simply gone; who waits for it is told by the query
    pool.on('error', () => undefined);
    pool.on('connect', (client) => client.on('error', () => undefined));
    pool.on('remove', () => {
      if (pool.totalCount === 0) this.byUrl.delete(url);
    });
    this.byUrl.set(url, target);
    return target;
  }

  async close(): Promise<void> {
    const targets = [...this.byUrl.values()];
    this.byUrl.clear();
    await Promise.all(targets.map((target) => target.close()));
  }
}

async function factsOf(session: Session): Promise<ServerFacts> {
  const { rows } = await session.query<{ version: number; database: string; role: string; isOpen: boolean }>(FACTS);
  const [row] = rows;
  if (row === undefined) throw new Error('the server said nothing of itself');
  const { version, database, role, isOpen } = row;
  if (!isOpen) return { version, identity: `role ${role}/${database}` };
  const [control] = (await session.query<{ system: string }>(SYSTEM)).rows;
  return { version, identity: `${control?.system ?? ''}/${database}` };
}

function poolConfig(url: string, max: number): PoolConfig {
  const { options, ...client } = parseIntoClientConfig(url);
  return { ...client, ...POOL, max, options: options === undefined ? SEARCH_PATH : `${options} ${SEARCH_PATH}` };
}
