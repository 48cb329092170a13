import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { claimDirectory } from './claim.js';
import { commandLine, processIdentity } from './process.js';

const SELF = { uid: process.getuid!(), gid: process.getgid!(), switched: false };
const IN_USE = expect.objectContaining({ code: 'conflict' });

describe('claimDirectory', () => {
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'mayfly-claim-'));
  });

  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  const holder = (number: number, identity: string): void => {
    writeFileSync(join(directory, String(number)), identity);
  };

  it('claimDirectory is exclusive until it is released', () => {
    const release = claimDirectory(directory, SELF);
    expect(() => claimDirectory(directory, SELF)).toThrow(IN_USE);
    release();
    claimDirectory(directory, SELF)();
  });

  it('claimDirectory names this process as the holder, and nobody after the release', () => {
    const release = claimDirectory(directory, SELF);
    expect(readFileSync(join(directory, '1'), 'utf8')).toBe(processIdentity(process.pid));
    release();
    expect(readFileSync(join(directory, '1'), 'utf8')).toBe('');
  });

  it('claimDirectory is refused while another process that holds it is alive', () => {
    holder(1, processIdentity(process.ppid)!);
    expect(() => claimDirectory(directory, SELF)).toThrow(IN_USE);
  });

  it.each([
    ['whose holder is gone', '4194305 1'],
    ['whose holder had the id of a process that started later', `${String(process.ppid)} 0`],
    ['that was released', ''],
    ['that makes no sense', 'x'],
  ])('claimDirectory replaces a claim %s, with a higher number, and removes the old one', (_, identity) => {
    holder(3, identity);
    holder(2, identity);
    claimDirectory(directory, SELF)();
    expect(readdirSync(directory)).toEqual(['4']);
  });

  it('claimDirectory goes by the highest number only', () => {
    holder(1, processIdentity(process.ppid)!);
    holder(10, '');
    claimDirectory(directory, SELF)();
    holder(2, '');
    holder(12, processIdentity(process.ppid)!);
    expect(() => claimDirectory(directory, SELF)).toThrow(IN_USE);
  });
});

describe('a process', () => {
  it('a process has an identity and a command line while it lives', () => {
    expect(processIdentity(process.pid)).toMatch(new RegExp(`^${String(process.pid)} \\S`));
    expect(commandLine(process.pid)).toContain('node');
  });

  it('a process has neither identity nor command line once it is dead', async () => {
    const child = spawn(process.execPath, ['-e', '']);
    await new Promise((resolve) => child.once('exit', resolve));
    expect(processIdentity(child.pid!)).toBeUndefined();
    expect(commandLine(child.pid!)).toBeUndefined();
  });

  it('a process has neither identity nor command line while it is dead and not yet reaped', async () => {
    // The background job outlives the shell, in whose place `exec` puts a program that never waits: it stays a zombie.
    const parent = spawn('sh', ['-c', 'sleep 0.3 & echo $!; exec sleep 60']);
    try {
      const pid = Number(await new Promise((resolve) => parent.stdout.once('data', resolve)));
      while (commandLine(pid) !== undefined) await new Promise((resolve) => setTimeout(resolve, 10));
      expect(() => process.kill(pid, 0)).not.toThrow();
      expect(processIdentity(pid)).toBeUndefined();
    } finally {
      parent.kill('SIGKILL');
    }
  });

  it.each([0, -1, Number.NaN, 1.5])('a process cannot have the id %d', (pid) => {
    expect(processIdentity(pid)).toBeUndefined();
    expect(commandLine(pid)).toBeUndefined();
  });
});
