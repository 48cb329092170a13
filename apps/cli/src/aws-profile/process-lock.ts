import { systemCodeOf } from '@mayfly/client';
import { randomUUID } from 'node:crypto';
import { link, readFile, readlink, rename, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { Timer } from '@mayfly/client';
import { CommandFailure } from '../command-failure.js';
import { EXIT } from '../exit-codes.js';

const LOOK_AGAIN_MS = 40;
/** Longer than any holder may take: the holder of an older lock was stopped, or its machine was. */
const ABANDONED_MS = 20_000;

/** The holder that the lock file names. */
interface Holder {
  readonly pid: number;
  /** the host and process namespace in which `pid` is valid */
  readonly space: string;
}

/** How long a process waits for the lock, and what makes the lock unnecessary meanwhile. */
export interface Waiting<T> {
  readonly timer: Timer;
  /** deadline for getting the lock (`Timer.now()`) */
  readonly until: number;
  /** polled while waiting: returns a result of another process that makes the lock unnecessary */
  readonly instead?: () => Promise<T | undefined>;
}

/**
 * Runs `act` while this process holds the lock file `path`. Takes over the lock of a dead process at once, and one with
 * an unknown holder after 20 s. Throws a `CommandFailure` when the lock is not free at `until` (`Timer.now()`), and
 * what `act` throws.
 */
export async function underLock<T>(
  path: string,
  { timer, until, instead }: Waiting<T>,
  act: () => Promise<T>,
): Promise<T> {
  const mine = JSON.stringify({ id: randomUUID(), pid: process.pid, space: await processSpace() });
  while (!(await isTaken(path, mine))) {
    await breakAbandoned(path);
    const found = await instead?.();
    if (found !== undefined) return found;
    if (timer.now() >= until) throw busy();
    await timer.wait(LOOK_AGAIN_MS);
  }
  try {
    return await act();
  } finally {
    if ((await textOf(path)) === mine) await rm(path, { force: true });
  }
}

function busy(): CommandFailure {
  return new CommandFailure(
    EXIT.unavailable,
    'another process is requesting this session and has no answer yet; try again',
  );
}

async function isTaken(path: string, mine: string): Promise<boolean> {
  try {
    await writeFile(path, mine, { mode: 0o600, flag: 'wx' });
    return true;
  } catch (error) {
    if (systemCodeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Removes an abandoned lock. Several processes may try: one that moved a newer lock puts it back. */
async function breakAbandoned(path: string): Promise<void> {
  const judged = await textOf(path);
  if (judged === undefined || !(await isAbandoned(path, judged))) return;
  if ((await textOf(path)) !== judged) return;
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
    if ((await textOf(aside)) !== judged) await link(aside, path);
  } catch {
    // another process was faster
  } finally {
    await rm(aside, { force: true });
  }
}

async function isAbandoned(path: string, text: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return false;
  if (Date.now() - found.mtimeMs > ABANDONED_MS) return true;
  const holder = holderIn(text);
  return holder?.space === (await processSpace()) && isDead(holder.pid);
}

function holderIn(text: string): Holder | undefined {
  try {
    const { pid, space } = JSON.parse(text) as Partial<Holder>;
    return typeof pid === 'number' && pid > 0 && typeof space === 'string' ? { pid, space } : undefined;
  } catch {
    return undefined; // not written yet
  }
}

function isDead(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return systemCodeOf(error) === 'ESRCH';
  }
}

async function processSpace(): Promise<string> {
  const namespace = await readlink('/proc/self/ns/pid').catch(() => '');
  return `${hostname()} ${namespace}`;
}

function textOf(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}
