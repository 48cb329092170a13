import { chmodSync, chownSync, existsSync, mkdirSync, statSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';
import { Problem } from '@mayfly/kernel';

/** The user that runs PostgreSQL. `switched` is true when it differs from this process's user. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
  readonly switched: boolean;
}

/** nobody and nogroup, by number: the only user that every Linux has and that owns nothing. */
const NOBODY = 65534;

/**
 * Returns the user that runs PostgreSQL, which refuses to run as root. Under root it is the owner of the data in
 * `home`, or nobody when there is none yet; otherwise it is the user of this process.
 */
export function accountFor(home: string): Account {
  const uid = process.getuid?.() ?? 0;
  const gid = process.getgid?.() ?? 0;
  if (uid !== 0) return { uid, gid, switched: false };
  const owner = existsSync(home) ? statSync(home) : undefined;
  if (owner === undefined || owner.uid === 0) return { uid: NOBODY, gid: NOBODY, switched: true };
  return { uid: owner.uid, gid: owner.gid, switched: true };
}

/** Returns the options of `spawn` that run the child as the account. */
export function asAccount(account: Account): { uid?: number; gid?: number } {
  return account.switched ? { uid: account.uid, gid: account.gid } : {};
}

/** Gives the file or directory to the account. */
export function give(path: string, account: Account): void {
  if (account.switched) chownSync(path, account.uid, account.gid);
}

/**
 * Creates `dataDir` when it is missing, closed to other users. Under root, other users may pass through it, since
 * PostgreSQL runs as another user. Leaves an existing directory unchanged.
 */
export function makeDataDirectory(dataDir: string): void {
  if (mkdirSync(dataDir, { recursive: true }) === undefined) return;
  chmodSync(dataDir, process.getuid?.() === 0 ? 0o711 : 0o700);
}

/**
 * Throws `unavailable` for a data directory that the account cannot reach. Without this check `initdb` fails with a
 * message that names neither the directory nor the user.
 */
export function assertReachable(dataDir: string, account: Account): void {
  const closed = firstClosedDirectory(dataDir, account);
  if (closed === undefined) return;
  throw new Problem(
    'unavailable',
    `started by root, the embedded PostgreSQL runs as user ${String(account.uid)}, who cannot enter \`${closed}\`: ` +
      'set MAYFLY_DATA_DIR to a directory that every user can reach, start Mayfly as another user, or set DATABASE_URL',
  );
}

/**
 * Returns the outermost directory on the path to `path` (itself included) that the account may not pass through, or
 * undefined.
 */
export function firstClosedDirectory(path: string, account: Account): string | undefined {
  if (!account.switched) return undefined;
  const parent = dirname(path);
  const above = parent === path ? undefined : firstClosedDirectory(parent, account);
  return above ?? (mayPass(statSync(path), account) ? undefined : path);
}

function mayPass(stats: Stats, account: Account): boolean {
  if (stats.uid === account.uid) return (stats.mode & 0o100) !== 0;
  if (stats.gid === account.gid) return (stats.mode & 0o010) !== 0;
  return (stats.mode & 0o001) !== 0;
}
