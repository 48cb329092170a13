import { userInfo } from 'node:os';
import { Problem } from '@mayfly/kernel';
import pg, { type ClientConfig, type PoolConfig } from 'pg';
import { databaseIn } from './database-name.js';
import { settingStatements, startupOptions, type SessionOptions } from './session-settings.js';
import { partsOf } from './tls.js';

/** A pool's own: how many connections, and how long one may be waited for or stay unused. */
export type PoolLimits = Pick<
  PoolConfig,
  'max' | 'idleTimeoutMillis' | 'connectionTimeoutMillis' | 'query_timeout' | 'allowExitOnIdle'
>;

/** For node-postgres, and for libraries that open its clients themselves. */
export interface SessionConfig extends Omit<PoolConfig, 'connectionString'> {
  /** what a client says on its session before anybody gets it */
  readonly opening: string;
}

const CONNECT_TIMEOUT_MILLIS = 10_000;

/** A client that states its settings, and then only is connected. */
class SessionClient extends pg.Client {
  private readonly opening: string;

  constructor(config?: string | ClientConfig) {
    super(config);
    this.opening = (config as SessionConfig).opening;
    this.sendNoReplication();
    // A connection that breaks while nobody waits for it has nobody to tell, and would end the process; queries reject.
    this.on('error', () => undefined);
  }

  // node-postgres accepts a callback too, and its pool gives one.
  override connect(): Promise<pg.Client>;
  override connect(callback: (error: Error | null, client?: pg.Client) => void): void;
  override connect(callback?: (error: Error | null, client?: pg.Client) => void): Promise<pg.Client> | undefined {
    const connected = this.open();
    if (callback === undefined) return connected;
    connected.then(
      () => {
        callback(null, this);
      },
      (error: unknown) => {
        callback(error as Error);
      },
    );
    return undefined;
  }

  /** Poolers refuse the parameter, and the server takes its absence as `false`; node-postgres would read PGREPLICATION without it. */
  private sendNoReplication(): void {
    const { connectionParameters } = this as unknown as { connectionParameters: { replication?: string } };
    delete connectionParameters.replication;
  }

  private async open(): Promise<pg.Client> {
    try {
      await super.connect();
      await this.query(this.opening);
      return this;
    } catch (error) {
      // Nobody else would: node-postgres leaves the socket open when the failure is not the server's. A server that hangs
      // is not waited for.
      this.end().catch(() => undefined);
      throw error;
    }
  }
}

/** The pool is not connected until it is asked for a client. Listen for its `error`: without a listener, one ends the process. */
export function createPool(url: string, options: SessionOptions, limits: PoolLimits): pg.Pool {
  return new pg.Pool({ ...sessionConfig(url, options), ...limits });
}

/** One client, which the caller connects and ends. */
export function createClient(url: string, options: SessionOptions): pg.Client {
  return new SessionClient(sessionConfig(url, options));
}

/**
 * Each member that node-postgres would otherwise take from a `PG*` variable, the shell's user or `~/.pgpass` is said. Of the
 * URL, the server, the login and TLS count, and `options`, which are said before ours and so are the weaker.
 * Throws Problem `invalid_declaration` when the URL names no user and the process has none either, and as `databaseIn` and `partsOf` do.
 */
export function sessionConfig(url: string, options: SessionOptions): SessionConfig {
  const given = partsOf(url, options.authority);
  const user = filled(given.user) ?? nameOfProcessUser();
  return {
    host: filled(given.host) ?? 'localhost',
    port: given.port ?? 5432,
    user,
    database: databaseIn(url) ?? filled(given.database) ?? user,
    password: passwordOf(given),
    ssl: given.ssl ?? false,
    sslnegotiation: given.sslnegotiation ?? 'postgres',
    // PGREPLICATION would make it a session that replicates; there is no other way to say no
    ...{ replication: 'false' },
    client_encoding: 'UTF8',
    application_name: options.applicationName,
    options: [given.options, startupOptions(options)].filter(Boolean).join(' '),
    connectionTimeoutMillis: CONNECT_TIMEOUT_MILLIS,
    keepAlive: true,
    ...(options.openSocket === undefined ? {} : { stream: options.openSocket }),
    Client: SessionClient,
    opening: settingStatements(options),
  };
}

function passwordOf({ password }: ClientConfig): ClientConfig['password'] {
  return password === undefined || password === '' ? refuseMissingPassword : password;
}

/** A part that the URL leaves out is an empty string. */
function filled(part: string | undefined): string | undefined {
  return part === '' ? undefined : part;
}

function nameOfProcessUser(): string {
  try {
    return userInfo().username;
  } catch (cause) {
    throw new Problem('invalid_declaration', 'the URL of the PostgreSQL names no user: add one', { cause });
  }
}

/** Called when the server asks for a password: node-postgres would look into the file of PGPASSFILE next. */
function refuseMissingPassword(): string {
  throw new Error('the server asks for a password and the URL has none: add it; PGPASSWORD and ~/.pgpass are not read');
}
