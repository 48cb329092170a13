import { randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { systemCodeOf } from '@mayfly/kernel';

/** A secret from a file; `created` is true when this call created the file. */
export interface SecretFile {
  readonly content: string;
  readonly created: boolean;
}

/**
 * Returns the content of the file at `path`; creates it with `make` when it is missing. The file appears complete and
 * with mode 0600, or not at all. Of several processes that race to create it, all return the content of the first.
 */
export function readOrCreateSecretFile(path: string, make: () => string): SecretFile {
  const present = readIfPresent(path);
  if (present !== undefined) return { content: present, created: false };
  const draft = `${path}.${randomUUID()}`;
  try {
    writeDurably(draft, make());
    const created = linkUnlessPresent(draft, path);
    return { content: readFileSync(path, 'utf8'), created };
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Links `existing` under `name`. Returns false when `name` exists already; never replaces a file. */
export function linkUnlessPresent(existing: string, name: string): boolean {
  try {
    linkSync(existing, name);
    return true;
  } catch (error) {
    if (systemCodeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Returns the text of a file, or `undefined` when it does not exist. */
export function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCodeOf(error) ?? '')) return undefined;
    throw error;
  }
}

function writeDurably(path: string, content: string): void {
  const file = openSync(path, 'wx', 0o600);
  try {
    writeSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
