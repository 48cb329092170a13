import { systemCodeOf } from '@mayfly/client';
import { constants } from 'node:fs';
import { lstat, mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { usageFailure, type CommandFailure } from '../command-failure.js';

const LARGEST_FILE_BYTES = 65_536;
/** Longer than any AWS session lives: an older file holds no usable session. */
const STALE_MS = 13 * 3_600_000;
const OTHERS = 0o077;

/** The owner and mode that are checked before a file or directory is used. */
interface Found {
  readonly uid: number;
  readonly mode: number;
}

/**
 * A directory that only this user may read: mode 0700, files 0600. Refuses symbolic links, and files that another user
 * owns or may read. Throws usage failures that name the path.
 */
export class PrivateDirectory {
  private constructor(readonly path: string) {}

  /** Opens the first path whose parent this user owns, otherwise the last. su(1) may leave another user's variables. */
  static async openOne(paths: readonly string[]): Promise<PrivateDirectory> {
    for (const path of paths.slice(0, -1)) {
      const parent = await stat(dirname(path)).catch(() => undefined);
      if (parent?.isDirectory() === true && isOwn(parent.uid)) return this.open(path);
    }
    return this.open(paths.at(-1) ?? '');
  }

  /** Opens the directory; creates it if it does not exist. */
  private static async open(path: string): Promise<PrivateDirectory> {
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
        if (systemCodeOf(error) !== 'EEXIST') throw error;
      });
      const found = await lstat(path);
      if (!found.isDirectory()) throw unsafe(path, 'is not a directory');
      requirePrivate(path, found);
      return new PrivateDirectory(path);
    } catch (error) {
      throw asFailure(path, error);
    }
  }

  pathOf(name: string): string {
    return join(this.path, name);
  }

  /** Reads a file; undefined when it does not exist. */
  async read(name: string): Promise<string | undefined> {
    const path = this.pathOf(name);
    try {
      const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      try {
        const found = await file.stat();
        if (!found.isFile() || found.size > LARGEST_FILE_BYTES) throw unsafe(path, 'is not a session file');
        requirePrivate(path, found);
        return await file.readFile('utf8');
      } finally {
        await file.close();
      }
    } catch (error) {
      if (systemCodeOf(error) === 'ENOENT') return undefined;
      throw asFailure(path, error);
    }
  }

  /** Replaces a file atomically: a reader gets the old text or the new one. Only one writer at a time. */
  async write(name: string, text: string): Promise<void> {
    const path = this.pathOf(name);
    try {
      await rm(`${path}.new`, { force: true }); // left by a killed writer
      await writeFile(`${path}.new`, text, { mode: 0o600, flag: 'wx' });
      await rename(`${path}.new`, path);
    } catch (error) {
      throw asFailure(path, error);
    }
  }

  async remove(name: string): Promise<void> {
    await Promise.all([name, `${name}.new`].map((file) => rm(this.pathOf(file), { force: true })));
  }

  /** Removes files that are older than any session. */
  async sweep(now: Date): Promise<void> {
    for (const name of await readdir(this.path)) {
      const found = await stat(this.pathOf(name)).catch(() => undefined);
      if (found?.isFile() === true && now.getTime() - found.mtimeMs > STALE_MS) await this.remove(name);
    }
  }
}

/** Checks owner and mode. Systems without user ids protect a user's directories by other means. */
function requirePrivate(path: string, { uid, mode }: Found): void {
  if (process.getuid === undefined) return;
  if (!isOwn(uid)) throw unsafe(path, 'belongs to another user');
  if ((mode & OTHERS) !== 0) throw unsafe(path, 'can be read by other users');
}

function isOwn(uid: number): boolean {
  return process.getuid === undefined || uid === process.getuid();
}

function unsafe(path: string, why: string): CommandFailure {
  return usageFailure(`\`${path}\` ${why}, and is not used for a session`, 'remove it, or use --no-cache');
}

function asFailure(path: string, error: unknown): unknown {
  const code = systemCodeOf(error);
  if (code === undefined) return error;
  if (code === 'ELOOP') return unsafe(path, 'is a symbolic link');
  return usageFailure(
    `the session cannot be kept in \`${path}\` (${code})`,
    'set XDG_CACHE_HOME to a directory that can be written, or use --no-cache',
  );
}
