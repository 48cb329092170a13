// `POST /authorize` with a limit of uses, one operation and 100 a request, against a bare Fastify POST that answers a constant,
// in turn, in one run. Inside the timer: the whole HTTP request, the identity (cached by the service), the decision, the commit
// of the use, and the commit of its record with the audit entry. Prints tables; asserts only that permits = uses counted.
// `node --import ./test/load/run.mjs test/load/authorize.mjs`; LOAD_ROUNDS and LOAD_SECONDS change it.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { developmentIssuer } from '@mayfly/embedded';
import autocannon from 'autocannon';
import pg from 'pg';
import { mainThreadMs, postgresMs, processMs } from './processor-time.mjs';
import { report } from './report.mjs';
import { databaseUrl } from './rounds.mjs';
import { freePort, median, prepareDirectory, start } from './service.mjs';

const rounds = Number(process.env.LOAD_ROUNDS ?? 3);
const seconds = Number(process.env.LOAD_SECONDS ?? 3);
const TASKS = 20;
const BATCH = 100;
/** The audit is sealed within this time; the processor time of a round includes it. */
const SETTLE_MS = 1_500;

const DECLARED = `
kind: Connection
metadata: { name: cases-api }
spec:
  provider: signed-token
  owner: measuring
  config: { audience: 'https://cases.example', resourceServers: [{ issuer: development, subject: resource-server/cases }] }
---
kind: TaskTemplate
metadata: { name: counted }
spec:
  description: For measuring.
  owner: measuring
  backupOwner: platform
  review: { by: security, everyDays: 90 }
  requesters: { agents: { duty: load }, runtimes: [developer-laptop] }
  parameters: { type: object, properties: {}, additionalProperties: false }
  lifetime: { defaultSeconds: 900, maxSeconds: 1800 }
  quota: { tasksPerMinute: 10000, concurrentTasks: 10000, uses: 1000000000 }
  credentials:
    - { name: api, provider: signed-token, scope: { audience: 'https://cases.example', operations: [cases.read] } }
`;

async function startConstant() {
  const port = await freePort();
  const environment = { ...process.env, PORT: String(port) };
  const child = spawn(process.execPath, ['test/load/constant-server.mjs'], { env: environment, stdio: 'inherit' });
  const url = `http://127.0.0.1:${port}`;
  while (
    !(await fetch(url).then(
      () => true,
      () => false,
    ))
  )
    await sleep(20);
  return { url, pid: child.pid, stop: () => child.kill('SIGTERM') };
}

/** Requests tasks. Returns `take(size)`: the next request, for one operation or for many of all tasks. */
async function questions(service, { directory }) {
  const issuer = await developmentIssuer(directory, { production: false });
  const [agent, server] = await Promise.all([
    issuer.issueToken({ agent: 'load-agent-1' }),
    issuer.issueToken({ resourceServer: 'cases' }),
  ]);
  const headers = (token) => ({ 'content-type': 'application/json', authorization: `Bearer ${token}` });
  const body = JSON.stringify({ template: 'counted', parameters: {}, purpose: 'measure' });
  const tokens = [];
  for (let n = 0; n < TASKS; n += 1) {
    const answer = await fetch(`${service.url}/tasks`, { method: 'POST', headers: headers(agent), body });
    tokens.push((await answer.json()).taskToken.value);
  }
  let n = 0;
  const operation = () => {
    n += 1;
    return { token: tokens[n % TASKS], operation: 'cases.read', target: `https://cases.example/cases/${n % 1_000}` };
  };
  return (size) => ({
    method: 'POST',
    headers: headers(server),
    body: JSON.stringify(size === 1 ? operation() : { evaluations: Array.from({ length: size }, operation) }),
  });
}

async function round({ url, pid }, { directory }, { take, size, connections }) {
  const cpu = () => [processMs(pid), mainThreadMs(pid), postgresMs(directory)];
  const before = cpu();
  let permits = 0;
  const result = await autocannon({
    ...{ url: `${url}/authorize`, connections, duration: seconds },
    requests: [
      {
        setupRequest: (request) => ({ ...request, ...take(size) }),
        onResponse: (status, text) => void (permits += text.split('"decision":true').length - 1),
      },
    ],
  });
  if (result.non2xx > 0 || result.errors > 0) throw new Error(`${result.non2xx} were refused, ${result.errors} failed`);
  await sleep(SETTLE_MS);
  const decisions = result['2xx'] * size;
  const [own, main, postgres] = cpu().map((ms, at) => ((ms - before[at]) * 1000) / decisions);
  const { p50, p99 } = result.latency;
  return { rate: decisions / result.duration, p50, p99, own, main, postgres, permits };
}

const FIGURES = {
  'decisions per s': 'rate',
  'p50 ms': 'p50',
  'p99 ms': 'p99',
  'process µs': 'own',
  'main thread µs': 'main',
  'PostgreSQL µs': 'postgres',
};
const middle = (results) =>
  Object.fromEntries(
    Object.entries(FIGURES).map(([name, of]) => [name, Number(median(results.map((one) => one[of])).toFixed(1))]),
  );

const prepared = prepareDirectory();
writeFileSync(join(prepared.configDir, 'counted.yaml'), DECLARED);
try {
  const service = await start(prepared);
  const constant = await startConstant();
  const take = await questions(service, prepared);
  const sides = {
    'bare Fastify, a constant, 64 in flight': { server: constant, size: 1, connections: 64 },
    'POST /authorize, one operation, 64 in flight': { server: service, size: 1, connections: 64 },
    [`POST /authorize, ${BATCH} operations, 16 in flight`]: { server: service, size: BATCH, connections: 16 },
  };
  const results = Object.fromEntries(Object.keys(sides).map((name) => [name, []]));
  for (let n = 0; n <= rounds; n += 1)
    for (const [name, { server, ...how }] of Object.entries(sides)) {
      const one = await round(server, prepared, { take, ...how });
      results[name].push(one);
    }
  const permits =
    Object.values(results)
      .flat()
      .reduce((total, one) => total + one.permits, 0) -
    results['bare Fastify, a constant, 64 in flight'].reduce((total, one) => total + one.permits, 0);
  const database = new pg.Client({ connectionString: databaseUrl(prepared.directory, 'mayfly') });
  await database.connect();
  const { rows } = await database.query('SELECT sum(calls)::int AS counted FROM use_counter');
  await database.end();
  // The first round of each side warms it up.
  console.table(Object.fromEntries(Object.entries(results).map(([name, all]) => [name, middle(all.slice(1))])));
  const [bare, single, batch] = Object.values(results).map((all) => median(all.slice(1).map(({ rate }) => rate)));
  report([
    {
      what: 'POST /authorize, one operation, 64 in flight, decisions per s; against a bare POST',
      measured: `${single.toFixed(0)}; ${(single / bare).toFixed(2)}`,
      aim: '≥ 15000; ≥ 0.5',
    },
    {
      what: `POST /authorize, ${BATCH} operations a request, decisions per s`,
      measured: batch.toFixed(0),
      aim: '≥ 60000',
    },
    {
      what: 'permits that were answered; uses that were counted (some answers are cut off by the end of a round)',
      measured: `${permits}; ${rows[0].counted}`,
    },
  ]);
  if (permits > rows[0].counted) throw new Error('more permits than uses');
  constant.stop();
  await service.stop();
} finally {
  prepared.remove();
}
