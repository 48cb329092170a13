// The service under measurement: the compiled broker as a child process with a data directory and templates of its own.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MAIN = 'dist/broker/start.mjs';
/** The bounds of V8's heap that `npm start` sets. */
const BOUNDS = /--max-semi-space-size=\d+ --max-old-space-size=\d+/.exec(readFileSync('package.json', 'utf8'))[0];
const TOKEN = 'dist/apps/broker/apps/broker/src/token.js';

export const AGENTS = 50;
export const TEMPLATES = 20;
/** The names of one to `count`, as the declared documents have them. */
export const numbered = (name, count) => Array.from({ length: count }, (_, n) => `${name}-${n + 1}`);

const template = (name, parameters, credentials) => `
kind: TaskTemplate
metadata: { name: ${name} }
spec:
  description: For measuring.
  owner: measuring
  backupOwner: platform
  review: { by: security, everyDays: 90 }
  requesters: { agents: { duty: load }, runtimes: [developer-laptop] }
  parameters:
    type: object
    properties: { ${Object.entries(parameters).map((entry) => entry.join(': '))} }
    required: [${Object.keys(parameters)}]
    additionalProperties: false
  lifetime: { defaultSeconds: 900, maxSeconds: 1800 }
  quota: { tasksPerMinute: 10000000, concurrentTasks: 10000000 }
  credentials:${credentials}
---`;

const region = '{ enum: [emea, apac] }';
const token = (name) =>
  template(
    name,
    { region, case: "{ type: string, pattern: '^[a-z0-9]{1,12}$' }" },
    `
    - name: api
      provider: signed-token
      scope: { audience: 'https://cases.example', operations: [{ $join: ['cases.read.', { $param: region }, '.', { $param: case }] }] }`,
  );
const database = (name, connection = 'crm') =>
  template(
    name,
    { region },
    `
    - { name: db, provider: postgres, connection: ${connection}, scope: { grants: [{ schema: { $param: region }, tables: [customers, cases, case_notes], verbs: [select] }] } }`,
  );

const agent = (name) => `
kind: Agent
metadata: { name: ${name}, labels: { duty: load } }
spec: { owner: measuring, backupOwner: platform, identities: [{ issuer: development, subject: ${name}, runtime: developer-laptop }] }
---`;

const connection = (name, more = '') => `
kind: Connection
metadata: { name: ${name} }
spec: { provider: postgres, owner: measuring, config: { url: 'env:CRM_DATABASE_URL', connectionCapacity: 1000000${more} } }
---`;

const DECLARED = [
  connection('crm'),
  connection('crm-quick', ', scramIterations: 1'),
  ...numbered('load-agent', AGENTS).map(agent),
  ...numbered('load-token', TEMPLATES).map(token),
  ...numbered('load-database', TEMPLATES).map((name) => database(name)),
  ...numbered('load-quick', TEMPLATES).map((name) => database(name, 'crm-quick')),
].join('');

export function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** A data directory with the templates of the measurements; `start` may be called on it again and again. */
export function prepareDirectory() {
  const directory = mkdtempSync(join(tmpdir(), 'mayfly-load-'));
  const configDir = mkdtempSync(join(tmpdir(), 'mayfly-load-config-'));
  writeFileSync(join(configDir, 'load.yaml'), DECLARED);
  return {
    directory,
    configDir,
    remove: () => [directory, configDir].forEach((path) => rmSync(path, { recursive: true, force: true })),
  };
}

/** Starts the service and resolves when it answers `/readyz`; `startedMs` is from the spawn to that answer. */
export async function start({ directory, configDir }) {
  const port = await freePort();
  const environment = {
    ...process.env,
    MAYFLY_DATA_DIR: directory,
    MAYFLY_CONFIG_DIR: configDir,
    PORT: String(port),
    MAYFLY_LOG_LEVEL: 'warn',
  };
  const began = performance.now();
  const child = spawn(
    process.execPath,
    ['--enable-source-maps', ...(process.env.LOAD_NODE_OPTIONS ?? BOUNDS).split(' '), MAIN],
    {
      env: environment,
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  // A measurement that fails leaves no service behind.
  process.once('exit', () => child.kill('SIGTERM'));
  const url = `http://127.0.0.1:${port}`;
  while (
    !(await fetch(`${url}/readyz`).then(
      (answer) => answer.ok,
      () => false,
    ))
  ) {
    if (child.exitCode !== null) throw new Error('the service did not start');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const startedMs = performance.now() - began;
  return {
    url,
    startedMs,
    pid: child.pid,
    token: (name = 'load-agent-1') => runToken(environment, name),
    rssMiB: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]) / 1024,
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', resolve);
        child.kill('SIGTERM');
      }),
  };
}

function runToken(environment, name) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [TOKEN, '--agent', name], {
      env: environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.on('data', (part) => (text += part));
    child.once('exit', (code) => (code === 0 ? resolve(text.trim()) : reject(new Error('no token'))));
  });
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

export function percentile(values, p) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))];
}
