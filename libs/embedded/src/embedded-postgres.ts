import { join } from 'node:path';
import { Problem, systemCodeOf } from '@mayfly/kernel';
import { accountFor, assertReachable } from './postgres/account.js';
import { locateBinaries } from './postgres/binaries.js';
import { claimDirectory } from './postgres/claim.js';
import { type Cluster, type EmbeddedRole, initialiseOnce, openCluster, passwordOf } from './postgres/cluster.js';
import { provisionService } from './postgres/roles.js';
import { type RunningServer, runServer, stopServer } from './postgres/server.js';
import type { SecretFile } from './secret-file.js';

/** Where the embedded server keeps its files, and how it reports. */
export interface EmbeddedPostgresOptions {
  /** the data directory; the server's files are in its folder `postgres/`; created when missing */
  readonly dataDir: string;
  /** receives messages about slow or unusual steps */
  readonly log?: (message: string) => void;
  /** `<os>-<cpu>` in npm's names; for tests */
  readonly platform?: string;
}

/** A PostgreSQL server on loopback, with the database `mayfly`, which the service uses as the role `mayfly_app`. */
export interface EmbeddedPostgres {
  /** true when the server was already running, left by a killed Mayfly */
  readonly adopted: boolean;
  /**
   * Returns a connection URL with its password, for `mayfly_app` or another role. `postgres` is the superuser, for
   * set-up only.
   */
  url(database: string, role?: EmbeddedRole): string;
  /** Returns the password of a role; `created` is true when this call made it. */
  password(role: EmbeddedRole): SecretFile;
  /** Stops the server. Resolves once it has stopped. */
  stop(): Promise<void>;
}

/**
 * Starts PostgreSQL from the binaries that npm installed, or adopts the server that a killed Mayfly left in `dataDir`.
 * Committed rows survive a kill of this process and of the server (fsync on, synchronous_commit on). Throws
 * `unavailable` when the platform has no binary, the data cannot be reached, or the server does not start; throws
 * `conflict` while another live process uses `dataDir`.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  try {
    return await start(options);
  } catch (cause) {
    if (systemCodeOf(cause) !== 'EACCES') throw cause;
    throw new Problem(
      'unavailable',
      'the data of the embedded PostgreSQL belong to another user: start Mayfly as that user, or set MAYFLY_DATA_DIR',
      { cause },
    );
  }
}

async function start(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { dataDir, log = () => undefined, platform = `${process.platform}-${process.arch}` } = options;
  const account = accountFor(join(dataDir, 'postgres'));
  const cluster = openCluster(dataDir, account, log);
  assertReachable(cluster.home, account);
  const binaries = locateBinaries(platform, cluster.home, account);
  const release = claimDirectory(join(cluster.home, 'claim'), account);
  try {
    await initialiseOnce(cluster, binaries, platform);
    const server = await runServer(cluster, binaries);
    if (server.adopted) log('took over the PostgreSQL server of an earlier run');
    return await provisioned(present(cluster, server, release));
  } catch (error) {
    release();
    throw error;
  }
}

async function provisioned(embedded: EmbeddedPostgres): Promise<EmbeddedPostgres> {
  try {
    await provisionService(embedded.url('postgres', 'postgres'), embedded.password('mayfly_app'));
    return embedded;
  } catch (error) {
    await embedded.stop();
    throw error;
  }
}

function present(cluster: Cluster, server: RunningServer, release: () => void): EmbeddedPostgres {
  let stopped: Promise<void> | undefined;
  return {
    adopted: server.adopted,
    url: (database, role = 'mayfly_app') => urlOf(cluster, server, database, role),
    password: (role) => passwordOf(cluster, role),
    stop: () => (stopped ??= stopServer(cluster, server).finally(release)),
  };
}

function urlOf(cluster: Cluster, server: RunningServer, database: string, role: EmbeddedRole): string {
  return `postgresql://${role}:${passwordOf(cluster, role).content}@127.0.0.1:${String(server.port)}/${database}`;
}
