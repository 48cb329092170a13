import { randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';

/** A secret kept in a file; `created` tells whether this call made it. */
export interface SecretFile {
  readonly content: string;
  readonly created: boolean;
}

/**
 * The content of the file at `path`, made by `make` if there is none. The file appears whole and with mode 0600, or not
 * at all; of several processes that race to make it, all answer with the content of the one that won.
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

/** Whether `existing` now also goes by `name`; false where `name` was taken. Never replaces anything. */
export function linkUnlessPresent(existing: string, name: string): boolean {
  try {
    linkSync(existing, name);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** The text of a file, or `undefined` where there is no such file. */
export function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '')) return undefined;
    throw error;
  }
}

/** The `code` of a system error (`ENOENT`, `EACCES`, …), or `undefined`. */
export function codeOf(error: unknown): string | undefined {
  const code: unknown = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
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
