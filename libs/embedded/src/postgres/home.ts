import { chmodSync, existsSync, mkdirSync, mkdtempSync, realpathSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type Account, firstClosedDirectory, give } from './account.js';

/**
 * The folder for the server's files when PostgreSQL's user cannot reach the data directory. Every Linux has `/var/lib`.
 */
const OUTSIDE = '/var/lib/mayfly';

/**
 * Returns the folder of the server's files: `postgres` in `dataDir`, created on first use. `dataDir` must exist.
 * PostgreSQL's user cannot enter root's own folders (`/root`, folders of `mktemp -d`). In that case the files are under
 * `outside`, readable for that user only, and `postgres` is a link to them.
 */
export function serverHome(
  dataDir: string,
  account: Account,
  log: (message: string) => void,
  outside = OUTSIDE,
): string {
  const inside = join(realpathSync(dataDir), 'postgres');
  const closed = existsSync(inside) ? undefined : firstClosedDirectory(realpathSync(dataDir), account);
  if (closed !== undefined) {
    mkdirSync(outside, { recursive: true });
    chmodSync(outside, 0o711);
    const files = mkdtempSync(join(outside, 'postgres-'));
    symlinkSync(files, inside);
    log(`user ${String(account.uid)}, under which PostgreSQL runs, cannot enter ${closed}: its files are in ${files}`);
  }
  mkdirSync(inside, { recursive: true, mode: 0o700 });
  const home = realpathSync(inside);
  give(home, account); // at every start: an earlier start may have been killed between `mkdirSync` and this call
  return home;
}
