import { userInfo } from 'node:os';
import { Problem } from '@mayfly/kernel';
import pg, { type ClientConfig, type PoolConfig } from 'pg';
import { databaseIn } from './database-name.js';
import { settingStatements, startupOptions, type SessionOptions } from './session-settings.js';
import { partsOf } from './tls.js';

/** The limits of a pool: its connections, and its times for waiting and idling. */
export type PoolLimits = Pick<
  PoolConfig,
  'max' | 'idleTimeoutMillis' | 'connectionTimeoutMillis' | 'query_timeout' | 'allowExitOnIdle'
>;

/** The configuration for node-postgres, and for libraries that create its clients themselves. */
export interface SessionConfig extends Omit<PoolConfig, 'connectionString'> {
  /** the statements that a client runs before anyone uses its session */
  readonly opening: string;
  readonly onOpen?: SessionOptions['onOpen'];
}

const CONNECT_TIMEOUT_MILLIS = 10_000;

/** A client that applies its settings before it counts as connected. */
class SessionClient extends pg.Client {
  private readonly opening: string;
  private readonly onOpen: SessionOptions['onOpen'];

  constructor(config?: string | ClientConfig) {
    super(config);
    this.opening = (config as SessionConfig).opening;
    this.onOpen = (config as SessionConfig).onOpen;
    this.sendNoReplication();
    // Without a listener, an error of an idle connection would end the process. Running queries reject in any case.
    this.on('error', () => undefined);
  }

  // node-postgres also accepts a callback, and its pool passes one.
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

  /**
   * Deletes the parameter `replication`: poolers refuse it, and the server treats a missing one as `false`. A missing
   * configuration value would not do, since node-postgres then reads PGREPLICATION.
   */
  private sendNoReplication(): void {
    const { connectionParameters } = this as unknown as { connectionParameters: { replication?: string } };
    delete connectionParameters.replication;
  }

  private async open(): Promise<pg.Client> {
    try {
      await super.connect();
      await this.query(this.opening);
      await this.onOpen?.(this);
      return this;
    } catch (error) {
      // Closes the socket, which node-postgres leaves open when the failure is not the server's. Does not wait for a
      // server that hangs.
      this.end().catch(() => undefined);
      throw error;
    }
  }
}

/** Makes a pool, which connects at its first use. Add an `error` listener: without it, an error ends the process. */
export function createPool(url: string, options: SessionOptions, limits: PoolLimits): pg.Pool {
  return new pg.Pool({ ...sessionConfig(url, options), ...limits });
}

/** Makes one client. The caller connects and ends it. */
export function createClient(url: string, options: SessionOptions): pg.Client {
  return new SessionClient(sessionConfig(url, options));
}

/**
 * Returns a configuration in which node-postgres takes nothing from `PG*` variables, `$USER` or `~/.pgpass`. A URL
 * without a user means the operating system's user of this process. From the URL it uses the server, the login, TLS and `options`; ours follow these options and override them. Throws
 * Problem `invalid_declaration` when neither the URL nor the process has a user, and as `databaseIn` and `partsOf` do.
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
    // without it, node-postgres would read PGREPLICATION and could open a replication session
    ...{ replication: 'false' },
    client_encoding: 'UTF8',
    application_name: options.applicationName,
    options: [given.options, startupOptions(options)].filter(Boolean).join(' '),
    connectionTimeoutMillis: CONNECT_TIMEOUT_MILLIS,
    keepAlive: true,
    ...(options.openSocket === undefined ? {} : { stream: options.openSocket }),
    Client: SessionClient,
    opening: settingStatements(options),
    ...(options.onOpen === undefined ? {} : { onOpen: options.onOpen }),
  };
}

function passwordOf({ password }: ClientConfig): ClientConfig['password'] {
  return password === undefined || password === '' ? refuseMissingPassword : password;
}

/** Turns an empty string, which stands for a missing part of the URL, into undefined. */
function filled(part: string | undefined): string | undefined {
  return part === '' ? undefined : part;
}

function nameOfProcessUser(): string {
  try {
    return userInfo().username;
  } catch (cause) {
    throw new Problem('invalid_declaration', 'the URL of PostgreSQL names no user; add one', { cause });
  }
}

/** Throws when the server asks for a password: node-postgres would otherwise read the file of PGPASSFILE. */
function refuseMissingPassword(): string {
  throw new Error('the server asks for a password and the URL has none: add it; PGPASSWORD and ~/.pgpass are not read');
}
