import { join } from 'node:path';
import { Problem } from '@mayfly/kernel';
import { accountFor, assertReachable } from './postgres/account.js';
import { locateBinaries } from './postgres/binaries.js';
import { claimDirectory } from './postgres/claim.js';
import { type Cluster, type EmbeddedRole, initialiseOnce, openCluster, passwordOf } from './postgres/cluster.js';
import { provisionService } from './postgres/roles.js';
import { type RunningServer, runServer, stopServer } from './postgres/server.js';
import { codeOf, type SecretFile } from './secret-file.js';

export interface EmbeddedPostgresOptions {
  /** the data go to `postgres/` in this directory, which is made where it is missing */
  readonly dataDir: string;
  /** told what takes time or is out of the ordinary */
  readonly log?: (message: string) => void;
  /** `<os>-<cpu>` as npm names them; for tests */
  readonly platform?: string;
}

/** A PostgreSQL server of our own, on loopback, with the database `mayfly` for the role `mayfly_app` to serve from. */
export interface EmbeddedPostgres {
  /** a server that an earlier, killed Mayfly had left running was taken over */
  readonly adopted: boolean;
  /** A connection URL, password included, for `mayfly_app` or another role; `postgres` is the superuser, for set-up only. */
  url(database: string, role?: EmbeddedRole): string;
  /** The password of a role, and whether it was made just now. */
  password(role: EmbeddedRole): SecretFile;
  /** Stops the server; answers once it is down. */
  stop(): Promise<void>;
}

/**
 * Starts PostgreSQL from the binaries that npm installed, or takes over the server that a killed Mayfly left in `dataDir`.
 * Rows that it acknowledged survive a kill of this process and of the server (fsync on, synchronous_commit on).
 * Throws Problem `unavailable` where no binary exists for the platform, where the data cannot be reached, or where the
 * server does not come up; `conflict` while another live process uses `dataDir`.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  try {
    return await start(options);
  } catch (cause) {
    if (codeOf(cause) !== 'EACCES') throw cause;
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
    if (server.adopted) log('took over the PostgreSQL server that an earlier run had left');
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
