import { randomUUID } from 'node:crypto';
import { link, open, readFile, rename, rm } from 'node:fs/promises';
import { Problem, systemCodeOf } from '@mayfly/kernel';
import type { Epoch, EpochStore, OutsideEpoch } from '@mayfly/revocation';
import { epochIn, textOf } from './epoch-text.js';

/**
 * The outside epoch in a file, on a disk that all replicas share. A write is complete or has no effect: a new file on the
 * disk takes the name of the old one.
 */
export class FileEpochStore implements EpochStore {
  constructor(private readonly path: string) {}

  async read(): Promise<OutsideEpoch | undefined> {
    const text = await this.text();
    return text === undefined ? undefined : { ...epochIn(text), version: text };
  }

  /** Two writes at the very same instant can both succeed; then the later one counts, and the next write is newer. */
  async write(epoch: Epoch, at: Date, version: string | undefined): Promise<boolean> {
    if ((await this.text()) !== version) return false;
    const draft = `${this.path}.${randomUUID()}`;
    try {
      await writeFlushed(draft, textOf(epoch, at));
      if (version !== undefined) await rename(draft, this.path);
      // A link fails when the name is taken.
      else await link(draft, this.path);
      return true;
    } catch (cause) {
      if (systemCodeOf(cause) === 'EEXIST') return false;
      throw unusable(cause);
    } finally {
      await rm(draft, { force: true }).catch(() => undefined);
    }
  }

  private async text(): Promise<string | undefined> {
    try {
      return await readFile(this.path, 'utf8');
    } catch (cause) {
      if (systemCodeOf(cause) === 'ENOENT') return undefined;
      throw unusable(cause);
    }
  }
}

async function writeFlushed(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

function unusable(cause: unknown): Problem {
  const code = systemCodeOf(cause) ?? 'unknown error';
  const detail = `MAYFLY_EPOCH_URL: the file cannot be read or written (${code}); name a file in a directory where this user may write`;
  return new Problem('unavailable', detail, { cause, retryAfterSeconds: 5 });
}
