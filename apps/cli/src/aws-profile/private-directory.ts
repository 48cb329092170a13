import { constants } from 'node:fs';
import { lstat, mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { usageFailure, type CommandFailure } from '../command-failure.js';
import { systemCodeOf } from '../system-code.js';

const LARGEST_FILE_BYTES = 65_536;
/** Longer than any session of AWS lives: whatever is older opens nothing any more. */
const STALE_MS = 13 * 3_600_000;
const OTHERS = 0o077;

/** What is asked of a file or directory before it is trusted with a secret, or read. */
interface Found {
  readonly uid: number;
  readonly mode: number;
}

/**
 * A directory of files that nobody but this user may read: mode 0700, files 0600. Symbolic links are refused, and so is
 * what another user owns or may read. Throws usage failures that name the path.
 */
export class PrivateDirectory {
  private constructor(readonly path: string) {}

  /** The first of these places whose parent is this user's own; the last one otherwise. su(1) leaves variables of another user. */
  static async openOne(paths: readonly string[]): Promise<PrivateDirectory> {
    for (const path of paths.slice(0, -1)) {
      const parent = await stat(dirname(path)).catch(() => undefined);
      if (parent?.isDirectory() === true && isOwn(parent.uid)) return this.open(path);
    }
    return this.open(paths.at(-1) ?? '');
  }

  /** Makes the directory unless it is there. */
  private static async open(path: string): Promise<PrivateDirectory> {
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
        if (systemCodeOf(error) !== 'EEXIST') throw error;
      });
      const found = await lstat(path);
      if (!found.isDirectory()) throw unsafe(path, 'is no directory');
      requirePrivate(path, found);
      return new PrivateDirectory(path);
    } catch (error) {
      throw asFailure(path, error);
    }
  }

  pathOf(name: string): string {
    return join(this.path, name);
  }

  /** The text of a file; undefined where there is none. */
  async read(name: string): Promise<string | undefined> {
    const path = this.pathOf(name);
    try {
      const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      try {
        const found = await file.stat();
        if (!found.isFile() || found.size > LARGEST_FILE_BYTES) throw unsafe(path, 'is no file of a session');
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

  /** Replaces a file as a whole: who reads it gets the old text or the new one. One writer at a time. */
  async write(name: string, text: string): Promise<void> {
    const path = this.pathOf(name);
    try {
      await rm(`${path}.new`, { force: true }); // of a writer that was killed
      await writeFile(`${path}.new`, text, { mode: 0o600, flag: 'wx' });
      await rename(`${path}.new`, path);
    } catch (error) {
      throw asFailure(path, error);
    }
  }

  async remove(name: string): Promise<void> {
    await Promise.all([name, `${name}.new`].map((file) => rm(this.pathOf(file), { force: true })));
  }

  /** Removes files that nothing has been written to for longer than a session lives. */
  async sweep(now: Date): Promise<void> {
    for (const name of await readdir(this.path)) {
      const found = await stat(this.pathOf(name)).catch(() => undefined);
      if (found?.isFile() === true && now.getTime() - found.mtimeMs > STALE_MS) await this.remove(name);
    }
  }
}

/** Systems without user ids keep the directories of a user from others by their own means. */
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
