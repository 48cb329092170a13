import { execFile, type ExecFileException } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Problem } from '@mayfly/kernel';
import { type Account, asAccount, give, makeDataDirectory } from './account.js';
import { type Binaries, noBinary } from './binaries.js';
import { serverHome } from './home.js';
import { readOrCreateSecretFile, type SecretFile } from '../secret-file.js';

/** The roles with a password file. `postgres` is the superuser; the service never runs as it. */
export type EmbeddedRole = 'postgres' | 'mayfly_app' | 'mayfly_crm';

/** The files of one embedded server: `data`, the password files, its log and its last port. */
export interface Cluster {
  readonly home: string;
  readonly data: string;
  readonly log: string;
  readonly portFile: string;
  readonly account: Account;
}

/**
 * The environment of the server's programs. It has no variable of ours, so that no PG* variable, locale or zone changes
 * them.
 */
export const SERVER_ENVIRONMENT = { LC_ALL: 'C', TZ: 'UTC' };

/** Returns the cluster in `<dataDir>/postgres`. Creates the folder, but not the data. */
export function openCluster(dataDir: string, account: Account, log: (message: string) => void): Cluster {
  makeDataDirectory(dataDir);
  const home = serverHome(dataDir, account, log);
  return { home, data: join(home, 'data'), log: join(home, 'server.log'), portFile: join(home, 'port'), account };
}

/** Returns the password of a role: 144 random bits in a file of mode 0600, created on first use. */
export function passwordOf(cluster: Cluster, role: EmbeddedRole): SecretFile {
  const path = join(cluster.home, `${role}.password`);
  const secret = readOrCreateSecretFile(path, () => randomBytes(18).toString('base64url'));
  if (secret.created) give(path, cluster.account);
  return secret;
}

/**
 * Creates the data directory with `initdb` when it is missing. Creates it under another name and renames it, so that a
 * crash never leaves a partial data directory.
 */
export async function initialiseOnce(cluster: Cluster, binaries: Binaries, platform: string): Promise<void> {
  if (existsSync(cluster.data)) return;
  const draft = `${cluster.data}.draft`;
  rmSync(draft, { recursive: true, force: true });
  passwordOf(cluster, 'postgres');
  const passwordFile = join(cluster.home, 'postgres.password');
  give(passwordFile, cluster.account);
  const options = ['-U', 'postgres', '-A', 'scram-sha-256', '-E', 'UTF8', '--locale=C', '--no-instructions'];
  try {
    await promisify(execFile)(binaries.initdb, ['-D', draft, `--pwfile=${passwordFile}`, ...options], {
      ...asAccount(cluster.account),
      cwd: cluster.home,
      env: SERVER_ENVIRONMENT,
    });
  } catch (error) {
    throw initdbProblem(error as ExecFileException, platform);
  }
  renameSync(draft, cluster.data);
}

/** ENOENT for a program that exists means that its loader is missing, as on systems without glibc. */
function initdbProblem(error: ExecFileException, platform: string): Problem {
  if (error.code === 'ENOENT') return noBinary(platform, error);
  const said = (error.stderr ?? '').trim().split('\n').at(-1) ?? '';
  return new Problem(
    'unavailable',
    `the embedded PostgreSQL could not create its data directory (\`${said}\`); correct that and start again`,
    {
      cause: error,
    },
  );
}
