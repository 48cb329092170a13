import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chownSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { startTestPostgres } from '@mayfly/testing';
import { Client } from 'pg';
import { startOwnPostgres } from '../support/own-postgres.js';
import { run } from './sql.js';

/** A PostgreSQL server as a target. */
export interface TargetServer {
  /** Returns the superuser's URL of a database. */
  url(database: string): string;
  stop(): Promise<void>;
}

type Start = () => Promise<TargetServer>;

/** Low limits that a lease reaches fast, so that a spec is quick and harms no other one. */
const SMALL = { max_locks_per_transaction: '10', max_prepared_transactions: '5' };

/** The server that ships with Mayfly, and installed packages of older versions. */
export const TARGET_SERVERS: readonly (readonly [version: string, start: Start, startSmall: Start])[] = [
  ['PostgreSQL 18', startCurrent, startSmallCurrent],
  ...['15', '14', '16', '17']
    .filter((version) => existsSync(`/usr/lib/postgresql/${version}/bin/initdb`))
    .slice(0, 1)
    .map((version) => {
      const bin = `/usr/lib/postgresql/${version}/bin`;
      return [`PostgreSQL ${version}`, () => startPackaged(bin), () => startPackaged(bin, SMALL)] as const;
    }),
];

async function startCurrent(): Promise<TargetServer> {
  const { server } = await startTestPostgres();
  return { url: (database) => server.url(database, 'postgres'), stop: () => Promise.resolve() };
}

/** Starts the current version with low limits by ALTER SYSTEM; its command line sets its other limits. */
async function startSmallCurrent(): Promise<TargetServer> {
  const own = await startOwnPostgres();
  for (const [name, value] of Object.entries(SMALL)) {
    await run(own.server.url('postgres', 'postgres'), `ALTER SYSTEM SET ${name} = ${value}`);
  }
  await own.stop();
  await own.start();
  return { url: (database) => own.server.url(database, 'postgres'), stop: () => own.remove() };
}

async function startPackaged(bin: string, limits: Readonly<Record<string, string>> = {}): Promise<TargetServer> {
  const password = randomUUID();
  const home = mkdtempSync(join(tmpdir(), 'mayfly-target-'));
  const passwordFile = join(home, 'password');
  const data = join(home, 'data');
  writeFileSync(passwordFile, password);
  // PostgreSQL refuses to run as root.
  const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  if (nobody.uid !== undefined) for (const path of [home, passwordFile]) chownSync(path, nobody.uid, nobody.gid);
  const env = { LC_ALL: 'C' };
  const initialise = [
    '-D',
    data,
    '-U',
    'postgres',
    '-A',
    'scram-sha-256',
    `--pwfile=${passwordFile}`,
    '--locale=C',
    '-N',
  ];
  const initialised = spawnSync(join(bin, 'initdb'), initialise, { ...nobody, env, encoding: 'utf8' });
  if (initialised.status !== 0) throw new Error(`initdb failed: ${initialised.stderr}`);
  const port = await freePort();
  const set = { listen_addresses: '127.0.0.1', unix_socket_directories: '', fsync: 'off', ...limits };
  const settings = Object.entries(set).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const child = spawn(join(bin, 'postgres'), ['-D', data, '-p', String(port), ...settings], {
    ...nobody,
    env,
    stdio: 'ignore',
  });
  const url = (database: string): string => `postgresql://postgres:${password}@127.0.0.1:${String(port)}/${database}`;
  await untilItAnswers(url('postgres'), child);
  return { url, stop: () => stop(child, home) };
}

async function untilItAnswers(url: string, child: ChildProcess): Promise<void> {
  for (;;) {
    const client = new Client({ connectionString: url });
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      if (child.exitCode !== null) throw error;
      await pause(20);
    }
  }
}

async function stop(child: ChildProcess, home: string): Promise<void> {
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGINT');
  await exited;
  rmSync(home, { recursive: true, force: true });
}

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => {
        resolve(port);
      });
    });
  });
}
