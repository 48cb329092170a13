import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '@mayfly/kernel';
import { type Account, give } from './account.js';
import { processIdentity } from './process.js';
import { linkUnlessPresent, readIfPresent } from '../secret-file.js';

/** The directories that this process claimed through this module. */
const held = new Set<string>();

/**
 * Claims `directory` for this process, until the process dies or calls the returned function. Throws `conflict` while
 * another live process (or this one) has the claim. The account owns the claim's files.
 *
 * The claim is the file with the highest number. It names its holder, and is free when that process has ended. Numbers
 * only grow, and `link` fails on a taken name: of many processes that find a dead holder, exactly one takes the next
 * number.
 */
export function claimDirectory(directory: string, account: Account): () => void {
  mkdirSync(directory, { recursive: true });
  give(directory, account);
  if (held.has(directory)) throw inUse();
  const mine = takeClaim(directory, account);
  held.add(directory);
  return () => {
    held.delete(directory);
    withDraft(directory, '', account, (draft) => {
      renameSync(draft, join(directory, String(mine)));
    });
  };
}

function takeClaim(directory: string, account: Account): number {
  const last = highest(directory);
  if (isHeld(join(directory, String(last)))) throw inUse();
  const mine = last + 1;
  const link = (draft: string) => linkUnlessPresent(draft, join(directory, String(mine)));
  const taken = withDraft(directory, ownIdentity(), account, link);
  // A number below the highest is no claim: this process was slow, and others claimed and released meanwhile.
  if (!taken || highest(directory) !== mine) return takeClaim(directory, account);
  for (const number of numbers(directory)) if (number < mine) rmSync(join(directory, String(number)), { force: true });
  return mine;
}

/** A claim of this process that `held` lacks comes from an earlier instance of this module. */
function isHeld(path: string): boolean {
  const holder = readIfPresent(path);
  if (holder === undefined || holder === '' || holder === ownIdentity()) return false;
  return processIdentity(Number.parseInt(holder, 10)) === holder;
}

function ownIdentity(): string {
  return processIdentity(process.pid) ?? String(process.pid);
}

function withDraft<T>(directory: string, content: string, account: Account, place: (draft: string) => T): T {
  const draft = join(directory, `draft-${randomUUID()}`);
  writeFileSync(draft, content, { mode: 0o600 });
  try {
    give(draft, account);
    return place(draft);
  } finally {
    rmSync(draft, { force: true });
  }
}

function numbers(directory: string): number[] {
  return readdirSync(directory)
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function highest(directory: string): number {
  return Math.max(0, ...numbers(directory));
}

function inUse(): Problem {
  return new Problem(
    'conflict',
    'another Mayfly is using this data directory: stop it, or give this one its own MAYFLY_DATA_DIR and PORT',
  );
}
