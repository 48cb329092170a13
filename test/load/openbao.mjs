// Database roles through the whole service, beside OpenBao on the same PostgreSQL, in turn, in one run: mints, and mints with
// their ends, 32 in flight. OpenBao runs on raft with its file audit, as superuser; each lease ends with an answered revocation.
// Both rounds of a pair use one number of SCRAM rounds for Mayfly's roles; OpenBao always uses PostgreSQL's own 4,096.
// BAO names the binary; without it nothing runs. Prints tables; asserts nothing.
// `BAO=bao node --import ./test/load/run.mjs test/load/openbao.mjs`; LOAD_ROUNDS and LOAD_SECONDS change it.
import { Buffer } from 'node:buffer';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { postgresMs, processMs } from './processor-time.mjs';
import { report } from './report.mjs';
import { requestsOf } from './requests.mjs';
import { databaseUrl } from './rounds.mjs';
import { freePort, median, percentile, prepareDirectory, start } from './service.mjs';

const { BAO } = process.env;
const ROUNDS = Number(process.env.LOAD_ROUNDS ?? 5);
const SECONDS = Number(process.env.LOAD_SECONDS ?? 4);
const IN_FLIGHT = 32;
const SCOPE_ROLE = 'bench_scope';
const agent = new Agent({ keepAlive: true, maxSockets: 4 * IN_FLIGHT });

/** Sends a request on a kept connection; the body of the answer, parsed. Throws unless the answer is a success. */
function send(url, { method = 'POST', headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const sending = httpRequest(url, { method, headers, agent }, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('end', () => {
        const text = Buffer.concat(parts).toString();
        if (answer.statusCode >= 300) reject(new Error(`${method} ${url}: ${answer.statusCode} ${text}`));
        else resolve(text === '' ? undefined : JSON.parse(text));
      });
    });
    sending.once('error', reject);
    sending.end(body);
  });
}

/** Starts OpenBao and sets up one role of its database engine on the PostgreSQL of a data directory. */
async function startOpenBao({ directory }) {
  const home = mkdtempSync(join(tmpdir(), 'mayfly-load-bao-'));
  mkdirSync(join(home, 'raft'));
  const [port, cluster] = [await freePort(), await freePort()];
  const config = `
disable_mlock = true
api_addr = "http://127.0.0.1:${port}"
cluster_addr = "http://127.0.0.1:${cluster}"
listener "tcp" { address = "127.0.0.1:${port}" cluster_address = "127.0.0.1:${cluster}" tls_disable = true }
storage "raft" { path = "${join(home, 'raft')}" node_id = "one" }
audit "file" "to-file" { options { file_path = "${join(home, 'audit.log')}" } }
`;
  writeFileSync(join(home, 'bao.hcl'), config);
  const child = spawn(BAO, ['server', `-config=${join(home, 'bao.hcl')}`, '-log-level=error'], { stdio: 'ignore' });
  process.once('exit', () => child.kill('SIGKILL'));
  const url = `http://127.0.0.1:${port}/v1`;
  while (
    !(await fetch(`${url}/sys/seal-status`)
      .then((answer) => answer.ok)
      .catch(() => false))
  ) {
    if (child.exitCode !== null) throw new Error('OpenBao did not start');
    await sleep(50);
  }
  const init = JSON.stringify({ secret_shares: 1, secret_threshold: 1 });
  const { keys, root_token: token } = await send(`${url}/sys/init`, { method: 'PUT', body: init });
  await send(`${url}/sys/unseal`, { method: 'PUT', body: JSON.stringify({ key: keys[0] }) });
  const headers = { 'x-vault-token': token, 'content-type': 'application/json' };
  const post = (path, body) => send(`${url}/${path}`, { headers, body: JSON.stringify(body) });
  while (!(await fetch(`${url}/sys/health`).then((answer) => answer.ok))) await sleep(50);
  await post('sys/mounts/database', { type: 'database' });
  const target = new URL(databaseUrl(directory, 'crm'));
  const [username, password] = [target.username, target.password];
  await post('database/config/crm', {
    plugin_name: 'postgresql-database-plugin',
    allowed_roles: ['load'],
    connection_url: `postgresql://{{username}}:{{password}}@${target.host}/crm?sslmode=disable`,
    max_open_connections: 32,
    max_idle_connections: 32,
    ...{ username, password, password_authentication: 'password' },
  });
  await post('database/roles/load', {
    db_name: 'crm',
    default_ttl: '900s',
    max_ttl: '1800s',
    creation_statements: [
      `CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' IN ROLE ${SCOPE_ROLE}`,
    ],
    revocation_statements: ['DROP ROLE IF EXISTS "{{name}}"'],
  });
  return {
    name: 'OpenBao',
    pid: child.pid,
    mint: async () => (await send(`${url}/database/creds/load`, { method: 'GET', headers })).lease_id,
    end: (lease) => post('sys/leases/revoke', { lease_id: lease, sync: true }),
    stop: async () => {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await gone;
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** Makes the role whose rights OpenBao's users get: those of the scope of Mayfly's templates. */
async function makeScopeRole(prepared) {
  const client = new pg.Client({ connectionString: databaseUrl(prepared.directory, 'crm') });
  await client.connect();
  await client.query(`CREATE ROLE ${SCOPE_ROLE} NOLOGIN; GRANT USAGE ON SCHEMA emea TO ${SCOPE_ROLE};
    GRANT SELECT ON emea.customers, emea.cases, emea.case_notes TO ${SCOPE_ROLE}`);
  await client.end();
}

/** Mayfly's side: a whole task with one database role, and its completion. */
function mayflyWith(service, take, kind) {
  return {
    name: 'Mayfly',
    pid: service.pid,
    mint: async () => {
      const { headers, body } = take(kind);
      const { id } = await send(`${service.url}/tasks`, { headers, body });
      return { id, authorization: headers.authorization };
    },
    end: ({ id, authorization }) => send(`${service.url}/tasks/${id}/complete`, { headers: { authorization } }),
  };
}

async function inFlight(work, isOver) {
  await Promise.all(
    Array.from({ length: IN_FLIGHT }, async () => {
      while (!isOver()) await work();
    }),
  );
}

/** One round of mints, or of mints with their ends. Ends what is left outside the timer. */
async function round(side, { directory }, withEnds) {
  const [times, open] = [[], []];
  const cpu = () => [processMs(side.pid), postgresMs(directory)];
  const [before, began] = [cpu(), performance.now()];
  await inFlight(
    async () => {
      const asked = performance.now();
      const lease = await side.mint();
      if (withEnds) await side.end(lease);
      else open.push(lease);
      times.push(performance.now() - asked);
    },
    () => performance.now() - began > SECONDS * 1000,
  );
  const seconds = (performance.now() - began) / 1000;
  const [own, postgres] = cpu().map((ms, at) => ((ms - before[at]) * 1000) / times.length);
  await inFlight(
    async () => {
      const lease = open.pop();
      if (lease !== undefined) await side.end(lease);
    },
    () => open.length === 0,
  );
  return { rate: times.length / seconds, p50: median(times), p99: percentile(times, 0.99), own, postgres };
}

const FIGURES = {
  'per s': ({ rate }) => Math.round(rate),
  'p50 ms': ({ p50 }) => p50.toFixed(0),
  'p99 ms': ({ p99 }) => p99.toFixed(0),
  'process µs': ({ own }) => own.toFixed(0),
  'PostgreSQL µs': ({ postgres }) => postgres.toFixed(0),
};

async function compare(what, aim, sides, prepared, withEnds) {
  const rounds = sides.map(() => []);
  for (let n = 0; n <= ROUNDS; n += 1)
    for (const [at, side] of sides.entries()) {
      const result = await round(side, prepared, withEnds);
      if (n > 0) rounds[at].push(result); // the first round warms both up
    }
  const middle = (of, at) => median(rounds[at].map(of));
  const rows = sides.map(({ name }, at) => [
    `${name}, ${what}`,
    Object.fromEntries(
      Object.entries(FIGURES).map(([figure, of]) => [
        figure,
        of(rounds[at].toSorted((a, b) => a.rate - b.rate)[ROUNDS >> 1]),
      ]),
    ),
  ]);
  console.table(Object.fromEntries(rows));
  const cpu = ({ own, postgres }) => own + postgres;
  const byRate = median(rounds[0].map(({ rate }, n) => rate / rounds[1][n].rate));
  const byCpu = median(rounds[0].map((one, n) => cpu(rounds[1][n]) / cpu(one)));
  report([
    {
      what: `${what}, ${IN_FLIGHT} in flight, against OpenBao: by rate; by processor time; p99 of both, ms`,
      measured: `${byRate.toFixed(1)}; ${byCpu.toFixed(1)}; ${middle(({ p99 }) => p99, 0).toFixed(0)} and ${middle(({ p99 }) => p99, 1).toFixed(0)}`,
      aim,
    },
  ]);
}

if (BAO === undefined) {
  console.log('NOT RUN: OpenBao beside Mayfly; BAO names no binary');
  process.exit();
}
const prepared = prepareDirectory();
try {
  const service = await start(prepared);
  const take = await requestsOf(prepared);
  await makeScopeRole(prepared);
  const bao = await startOpenBao(prepared);
  const sideOf = (kind) => mayflyWith(service, take, kind);
  const quick = [sideOf('load-quick'), bao];
  const usual = [sideOf('load-database'), bao];
  await compare('a database role, 1 SCRAM round', '≥ 4', quick, prepared, false);
  await compare('a database role, 4,096 SCRAM rounds', '≥ 1.4', usual, prepared, false);
  await compare('a database role and its end, 1 SCRAM round', '≥ 3; p99 ≤ ½', quick, prepared, true);
  await bao.stop();
  await service.stop();
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  prepared.remove();
  process.exit();
}
