import { chmodSync, existsSync, mkdirSync, mkdtempSync, realpathSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type Account, firstClosedDirectory, give } from './account.js';

/** Where the files of the server go when PostgreSQL's user cannot reach the data directory: it is there on every Linux. */
const OUTSIDE = '/var/lib/mayfly';

/**
 * The folder of the server's files: `postgres` in `dataDir`, made on first use. Root's own folders (`/root`, what
 * `mktemp -d` makes) are closed to the user as whom PostgreSQL runs: there the files are put under `outside`, which only
 * that user may read, and `postgres` is a link to them. `dataDir` exists.
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
    log(
      `user ${String(account.uid)}, as whom PostgreSQL runs, may not pass through ${closed}: its files are in ${files}`,
    );
  }
  mkdirSync(inside, { recursive: true, mode: 0o700 });
  const home = realpathSync(inside);
  give(home, account); // each time: an earlier start may have been killed between the two
  return home;
}
