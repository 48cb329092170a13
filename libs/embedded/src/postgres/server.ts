import { spawn } from 'node:child_process';
import { closeSync, fstatSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from '@mayfly/kernel';
import { asAccount, give } from './account.js';
import type { Binaries } from './binaries.js';
import { type Cluster, SERVER_ENVIRONMENT } from './cluster.js';
import { commandLine } from './process.js';
import { readIfPresent } from '../secret-file.js';

/** A server that accepts connections on 127.0.0.1. */
export interface RunningServer {
  readonly port: number;
  readonly pid: number;
  /** true when it was already running, left by a killed Mayfly */
  readonly adopted: boolean;
}

/** The contents of postmaster.pid. Members are missing while the server is still writing the file. */
interface Postmaster {
  readonly pid: number;
  readonly port: number;
  readonly status: string | undefined;
}

const POLL_MILLISECONDS = 5;
const START_DEADLINE_MILLISECONDS = 60_000;
const STOP_DEADLINE_MILLISECONDS = 20_000;

const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  // Sessions of leases may use all other connections. These stay free for the service, which has to end those sessions.
  reserved_connections: '20',
  fsync: 'on',
  synchronous_commit: 'on',
  timezone: 'UTC',
  log_timezone: 'UTC',
};

/** Messages of a failed start that is worth repeating: backends of the last server still run, or the port was taken. */
const PASSING_FAILURE = /pre-existing shared memory block|could not bind IPv4 address|could not create any TCP/;

/** Returns the running server of this cluster, or starts one. Throws `unavailable` when none starts. */
export async function runServer(cluster: Cluster, binaries: Binaries): Promise<RunningServer> {
  const deadline = Date.now() + START_DEADLINE_MILLISECONDS;
  for (;;) {
    const running = await findRunning(cluster, deadline);
    if (running !== undefined) return { ...running, adopted: true };
    const { server, said } = await launch(cluster, binaries, deadline);
    if (server !== undefined) return { ...server, adopted: false };
    if (!PASSING_FAILURE.test(said) || Date.now() > deadline) throw notStarted(said);
    await sleep(20 * POLL_MILLISECONDS);
  }
}

/**
 * Stops the server and resolves once its process has ended. A fast shutdown ends open sessions. A server that hangs
 * gets SIGQUIT and recovers at its next start.
 */
export async function stopServer(cluster: Cluster, { pid }: RunningServer): Promise<void> {
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    if (!isServerOf(cluster, pid)) return;
    process.kill(pid, signal);
    const deadline = Date.now() + STOP_DEADLINE_MILLISECONDS;
    while (isServerOf(cluster, pid) && Date.now() < deadline) await sleep(POLL_MILLISECONDS);
  }
  if (isServerOf(cluster, pid))
    throw new Problem('unavailable', `the embedded PostgreSQL does not stop; end process ${String(pid)}`);
}

/** Waits for a server that is starting or stopping. Removes the pid file of a dead server. */
async function findRunning(cluster: Cluster, deadline: number): Promise<{ pid: number; port: number } | undefined> {
  for (;;) {
    const found = readPostmaster(cluster);
    if (found === undefined) return undefined;
    if (!isServerOf(cluster, found.pid)) {
      // PostgreSQL would remove it too, but not while an unreaped or unrelated process has the id.
      rmSync(pidFile(cluster), { force: true });
      return undefined;
    }
    if (found.status === 'ready') return { pid: found.pid, port: found.port };
    if (Date.now() > deadline) throw notStarted('it neither answered nor exited');
    await sleep(POLL_MILLISECONDS);
  }
}

async function launch(
  cluster: Cluster,
  binaries: Binaries,
  deadline: number,
): Promise<{ server?: { pid: number; port: number }; said: string }> {
  const port = await choosePort(cluster);
  const log = openSync(cluster.log, 'a', 0o600);
  give(cluster.log, cluster.account);
  const logStart = fstatSync(log).size;
  // Detached: an interrupt from the terminal reaches only the service, which stops the server after its own work.
  const child = spawn(binaries.postgres, ['-D', cluster.data, '-p', String(port), ...settingArguments()], {
    ...asAccount(cluster.account),
    cwd: cluster.home,
    env: SERVER_ENVIRONMENT,
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  child.unref();
  child.once('error', () => undefined); // the loop below sees the error as an exit code
  while (child.exitCode === null && child.signalCode === null) {
    const found = readPostmaster(cluster);
    if (found?.pid === child.pid && found?.status === 'ready') return { server: found, said: '' };
    if (Date.now() > deadline) throw notStarted('it took too long');
    await sleep(POLL_MILLISECONDS);
  }
  return { said: readFileSync(cluster.log).subarray(logStart).toString('utf8') };
}

function settingArguments(): string[] {
  return Object.entries(SETTINGS).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/** Lines of postmaster.pid: pid, data directory, start, port, socket directory, address, memory key, status. */
function readPostmaster(cluster: Cluster): Postmaster | undefined {
  const lines = readIfPresent(pidFile(cluster))?.split('\n');
  return lines && { pid: Number(lines[0]), port: Number(lines[3]), status: lines[7]?.trim() };
}

/** Process ids are reused: the process is our server only when its command line names our data. */
function isServerOf(cluster: Cluster, pid: number): boolean {
  return commandLine(pid)?.includes(`-D ${cluster.data} `) ?? false;
}

function pidFile(cluster: Cluster): string {
  return join(cluster.data, 'postmaster.pid');
}

/** Returns the port of the last start when it is free, so that addresses from before a restart stay valid. */
async function choosePort(cluster: Cluster): Promise<number> {
  const last = Number(readIfPresent(cluster.portFile) ?? 0);
  const port = await listenOnce(last).catch(() => listenOnce(0));
  if (port !== last) {
    writeFileSync(cluster.portFile, String(port), { mode: 0o600 });
    give(cluster.portFile, cluster.account);
  }
  return port;
}

function listenOnce(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const { port: free } = server.address() as AddressInfo;
      server.close(() => {
        resolve(free);
      });
    });
  });
}

function notStarted(said: string): Problem {
  const last = said.trim().split('\n').at(-1) ?? '';
  return new Problem(
    'unavailable',
    `the embedded PostgreSQL did not start (\`${last}\`); look for the reason in postgres/server.log of the data directory`,
  );
}
