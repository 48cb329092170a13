import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { appendFileSync, chmodSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Role } from '@mayfly/identity';
import { developmentIssuer, prepareDemoDatabase, startEmbeddedPostgres } from '@mayfly/embedded';
import { startTestPostgres, type TestDatabase } from '@mayfly/testing';
import { newTestIssuers, send, type TestAnswer, type TestCall, writeDocuments } from './broker.js';
import { until } from './until.js';

const MAIN = 'dist/broker/start.mjs';
const START_SECONDS = 60;
const STOP_SECONDS = 25;
const IDENTITY_SECONDS = 3_000;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The real broker in its own process, called over HTTP. */
export interface BrokerProcess {
  readonly url: string;
  readonly pid: number | undefined;
  readonly exited: Promise<Exit>;
  /** the output so far */
  output(): string;
  send(route: string, call?: TestCall): Promise<TestAnswer>;
  signal(name: NodeJS.Signals): void;
  /** Sends SIGKILL and waits for the exit. */
  kill(): Promise<void>;
  /** Sends SIGTERM and returns the exit. */
  stop(): Promise<Exit>;
}

/** A directory and a database in which brokers start, die and restart. */
export interface Scene {
  readonly directory: string;
  agentToken(name: string): Promise<string>;
  resourceServerToken(name: string): Promise<string>;
  personToken(role: Role): Promise<string>;
  /** Starts a broker. Resolves when it is ready. */
  start(environment?: Readonly<Record<string, string>>): Promise<BrokerProcess>;
  /** Ends every process of the scene and removes its files. */
  close(): Promise<void>;
}

/** A scene with its own PostgreSQL. */
export interface EmbeddedScene extends Scene {
  readonly dataDir: string;
}

/** A scene on a database of the test process's PostgreSQL. */
export interface DatabaseScene extends Scene {
  personToken(role: Role, subject?: string): Promise<string>;
  readonly database: TestDatabase;
  /** the demo database, as the superuser of its server */
  readonly targetUrl: string;
}

/** Opens the embedded default: its own PostgreSQL, the starter files, the development issuer. */
export function openEmbeddedScene(): EmbeddedScene {
  const { directory, start, endAll } = openPlace();
  const dataDir = join(directory, 'data');
  const issuer = () => developmentIssuer(dataDir, { production: false, create: true });
  return {
    directory,
    dataDir,
    agentToken: async (agent) => (await issuer()).issueToken({ agent }),
    resourceServerToken: async (resourceServer) => (await issuer()).issueToken({ resourceServer }),
    personToken: async (role) => (await issuer()).issueToken({ role }),
    start: (environment) => start({ MAYFLY_DATA_DIR: dataDir, ...environment }),
    close: async () => {
      await endAll();
      await (await startEmbeddedPostgres({ dataDir })).stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Opens replicas on one database; `documents` is YAML, by default the starter files. */
export async function openDatabaseScene(documents?: string): Promise<DatabaseScene> {
  const postgres = await startTestPostgres();
  const { server } = postgres;
  const [database, crmUrl] = [await postgres.createDatabase(), await prepareDemoDatabase(server)];
  const { directory, start, endAll } = openPlace();
  const issuers = newTestIssuers();
  // A task lives no longer than the identity token of its request.
  const exp = () => Math.floor(Date.now() / 1000) + IDENTITY_SECONDS;
  const workload = (sub: string): string => issuers.workloads.sign({ sub, jti: randomUUID(), exp: exp() });
  const configDir = join(directory, 'config');
  mkdirSync(configDir);
  await writeDocuments(configDir, issuers, documents);
  const environment = {
    DATABASE_URL: database.url,
    MAYFLY_PUBLIC_URL: 'http://127.0.0.1:8420',
    MAYFLY_MIGRATION_URL: database.adminUrl,
    MAYFLY_CONFIG_DIR: configDir,
    CRM_DATABASE_URL: crmUrl,
  };
  return {
    directory,
    database,
    targetUrl: server.url('crm', 'postgres'),
    agentToken: (sub) => Promise.resolve(workload(sub)),
    resourceServerToken: (name) => Promise.resolve(workload(`resource-server/${name}`)),
    personToken: (role, subject = `one-${role}`) =>
      Promise.resolve(issuers.staff.sign({ sub: subject, roles: [role] })),
    start: (more) => start({ ...environment, ...more }),
    close: async () => {
      await endAll();
      await database.drop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Creates a directory and a function that starts brokers in any mode. They end with this process at the latest. */
export function openPlace() {
  const directory = join(tmpdir(), `mayfly-scene-${randomUUID()}`);
  mkdirSync(directory);
  chmodSync(directory, 0o711); // PostgreSQL, when started by root, runs as another user
  cleanUpAfterThisProcess(directory);
  const children: ChildProcess[] = [];
  const start = (environment: Readonly<Record<string, string>>): Promise<BrokerProcess> =>
    startBrokerProcess(directory, environment, children);
  return { directory, start, endAll: () => Promise.all(children.map(end)) };
}

/** Sends SIGKILL and waits for the exit, also for a process that never became ready. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGKILL');
  await gone;
}

async function startBrokerProcess(
  directory: string,
  environment: Readonly<Record<string, string>>,
  children: ChildProcess[],
): Promise<BrokerProcess> {
  buildOnce();
  const port = environment.PORT ?? String(await unusedPort());
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, ['--enable-source-maps', MAIN], {
    env: { PATH, HOME, HOST: '127.0.0.1', ...environment, PORT: port },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  appendFileSync(join(directory, 'pids'), `${String(child.pid)}\n`);
  const printed: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => printed.push(chunk));
  const output = () => Buffer.concat(printed).toString('utf8');
  let exit: Exit | undefined;
  const exited = new Promise<Exit>((resolve) =>
    child.once('close', (code, signal) => {
      resolve((exit = { code, signal }));
    }),
  );
  const url = `http://127.0.0.1:${port}`;
  await until('the service is ready', START_SECONDS, async () => {
    if (exit !== undefined) throw new Error(`the service left (${JSON.stringify(exit)}):\n${output()}`);
    return fetch(`${url}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
  });
  const signal = (name: NodeJS.Signals): void => {
    child.kill(name);
  };
  const kill = async (): Promise<void> => {
    signal('SIGKILL');
    await exited;
  };
  const stop = async (): Promise<Exit> => {
    const patience = setTimeout(signal, STOP_SECONDS * 1000, 'SIGKILL');
    signal('SIGTERM');
    return exited.finally(() => {
      clearTimeout(patience);
    });
  };
  return { url, pid: child.pid, exited, output, signal, kill, stop, send: (route, call) => send(url, route, call) };
}

let built = false;

/** Builds once, so that no test runs a stale build. An up-to-date build takes no time. */
function buildOnce(): void {
  if (built) return;
  const { status, stderr } = spawnSync(process.execPath, ['tools/build.mjs'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  built = true;
}

export function unusedPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => {
        resolve(port);
      });
    });
  });
}

/** Ends the processes of a killed test process, whose exit handlers do not run. */
function cleanUpAfterThisProcess(directory: string): void {
  const script = `
    while [ -d "$2" ] && kill -0 "$1" 2>/dev/null; do sleep 1; done
    [ -d "$2" ] || exit
    for pid in $(cat "$2/pids"); do kill -9 "$pid"; done
    find "$2" -name postmaster.pid -exec head -n 1 {} \\; | while read -r pid; do kill -INT "$pid"; done
    sleep 3
    rm -rf "$2"`;
  const watch = ['-c', script, 'clean-up', String(process.pid), directory];
  spawn('sh', watch, { detached: true, stdio: 'ignore', cwd: tmpdir() }).unref();
}
