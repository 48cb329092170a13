import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { accountFor, asAccount, assertReachable, firstClosedDirectory, makeDataDirectory } from './account.js';
import { locateBinaries } from './binaries.js';

const SELF = { uid: process.getuid!(), gid: process.getgid!(), switched: false };
const NOBODY = { uid: 65534, gid: 65534, switched: true };
const itAsRoot = process.getuid?.() === 0 ? it : it.skip;

let above: string;

beforeEach(() => {
  above = mkdtempSync(join(tmpdir(), 'mayfly-binaries-'));
  chmodSync(above, 0o755);
});

afterEach(() => {
  rmSync(above, { recursive: true });
});

describe('locateBinaries', () => {
  let installed: string;
  let home: string;
  const find = () => ({ root: installed, version: '1.2.3' });

  beforeEach(() => {
    installed = join(above, 'package');
    home = join(above, 'home');
    for (const folder of ['bin', 'lib']) mkdirSync(join(installed, 'native', folder), { recursive: true });
    mkdirSync(home);
    writeFileSync(join(installed, 'native', 'bin', 'postgres'), 'the server');
    writeFileSync(join(installed, 'native', 'lib', 'libpq.so.5.18'), 'the library');
    writeFileSync(
      join(installed, 'native', 'pg-symlinks.json'),
      JSON.stringify([{ source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so.5' }]),
    );
  });

  it('locateBinaries uses the package in place, and gives it the links that npm left out', () => {
    const { postgres } = locateBinaries('any', home, SELF, find);
    expect(postgres).toBe(join(installed, 'native', 'bin', 'postgres'));
    expect(readFileSync(join(installed, 'native', 'lib', 'libpq.so.5'), 'utf8')).toBe('the library');
    expect(locateBinaries('any', home, SELF, find).postgres).toBe(postgres);
  });

  itAsRoot('uses a copy, made once, where the user of the server cannot reach the package', () => {
    chmodSync(installed, 0o700);
    const { postgres } = locateBinaries('any', home, NOBODY, find);
    expect(postgres).toBe(join(home, 'binaries-1.2.3', 'native', 'bin', 'postgres'));
    expect(readFileSync(join(dirname(postgres), '..', 'lib', 'libpq.so.5'), 'utf8')).toBe('the library');
    expect(firstClosedDirectory(dirname(postgres), NOBODY)).toBeUndefined();
    writeFileSync(postgres, 'not copied again');
    locateBinaries('any', home, NOBODY, find);
    expect(readFileSync(postgres, 'utf8')).toBe('not copied again');
  });

  it('locateBinaries finds what npm installed for this machine', () => {
    const { postgres, initdb } = locateBinaries(`${process.platform}-${process.arch}`, home, SELF);
    expect(existsSync(postgres) && existsSync(initdb)).toBe(true);
  });

  it('locateBinaries names DATABASE_URL where npm has none', () => {
    const refusal = expect.objectContaining({ code: 'unavailable', detail: expect.stringContaining('DATABASE_URL') });
    expect(() => locateBinaries('plan9-mips', home, SELF)).toThrow(refusal);
  });
});

describe('the account of the server', () => {
  itAsRoot('the account of the server is nobody when root starts it, and the owner of existing data', () => {
    const home = join(above, 'home');
    expect(accountFor(home)).toEqual(NOBODY);
    mkdirSync(home);
    expect(accountFor(home)).toEqual(NOBODY);
  });

  it('the account of the server needs no switch when it is the user of this process', () => {
    expect(asAccount(SELF)).toEqual({});
  });

  it.each([
    [0o711, undefined],
    [0o755, undefined],
    [0o700, 'closed'],
    [0o750, 'closed'],
  ])('a directory with mode %o above the data gives %s', (mode, closed) => {
    const inner = join(above, 'closed', 'inner');
    mkdirSync(inner, { recursive: true });
    chmodSync(join(above, 'closed'), mode);
    expect(firstClosedDirectory(inner, NOBODY)).toBe(closed && join(above, closed));
    expect(firstClosedDirectory(inner, { ...NOBODY, switched: false })).toBeUndefined();
  });

  it('the error names the change when the account of the server cannot reach the data', () => {
    chmodSync(above, 0o700);
    const detail = expect.stringMatching(/user 65534.*set MAYFLY_DATA_DIR/);
    expect(() => {
      assertReachable(above, NOBODY);
    }).toThrow(expect.objectContaining({ code: 'unavailable', detail }));
  });
});

describe('makeDataDirectory', () => {
  it('makeDataDirectory keeps other users out of a new directory and leaves an existing one alone', () => {
    const made = join(above, 'made');
    makeDataDirectory(made);
    expect(statSync(made).mode & 0o066).toBe(0);
    chmodSync(made, 0o755);
    makeDataDirectory(made);
    expect(statSync(made).mode & 0o777).toBe(0o755);
  });
});
