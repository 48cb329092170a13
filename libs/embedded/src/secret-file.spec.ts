import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { linkUnlessPresent, readIfPresent, readOrCreateSecretFile } from './secret-file.js';

it('readOrCreateSecretFile finds no file below a path that is not a directory', () => {
  expect(readIfPresent('/etc/passwd/below')).toBeUndefined();
});

describe('readOrCreateSecretFile', () => {
  let directory: string;
  let path: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'mayfly-secret-'));
    path = join(directory, 'secret');
  });

  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  it('readOrCreateSecretFile makes the file once, readable by its owner alone', () => {
    expect(readOrCreateSecretFile(path, () => 'first')).toEqual({ content: 'first', created: true });
    expect(readOrCreateSecretFile(path, () => 'second')).toEqual({ content: 'first', created: false });
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('readOrCreateSecretFile answers with the content of a rival that was faster', () => {
    const beaten = readOrCreateSecretFile(path, () => {
      readOrCreateSecretFile(path, () => 'rival');
      return 'mine';
    });
    expect(beaten).toEqual({ content: 'rival', created: false });
    expect(readFileSync(path, 'utf8')).toBe('rival');
  });

  it('readOrCreateSecretFile leaves nothing else behind, a failure of the maker included', () => {
    const failing = (): string => {
      throw new Error('no entropy');
    };
    expect(() => readOrCreateSecretFile(path, failing)).toThrow('no entropy');
    expect(readdirSync(directory)).toEqual([]);
    readOrCreateSecretFile(path, () => 'content');
    expect(readdirSync(directory)).toEqual(['secret']);
  });

  it('readOrCreateSecretFile does not take an unreadable path for a missing file', () => {
    expect(() => readIfPresent(directory)).toThrow('EISDIR');
    expect(readIfPresent(path)).toBeUndefined();
  });

  it('readOrCreateSecretFile links onto a free name only', () => {
    readOrCreateSecretFile(path, () => 'content');
    expect(linkUnlessPresent(path, join(directory, 'other'))).toBe(true);
    expect(linkUnlessPresent(path, join(directory, 'other'))).toBe(false);
    expect(() => linkUnlessPresent(path, join(directory, 'missing', 'other'))).toThrow('ENOENT');
  });
});
