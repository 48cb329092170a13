// `POST /tasks` for a signed token against a bare insert, in turn, in one run; then the database path, from the request to
// "refused at the target"; start-up and memory. Prints tables with medians; asserts nothing. Loopback only, about a minute.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import autocannon from 'autocannon';
import pg from 'pg';
import { freePort, median, percentile, prepareDirectory, start } from './service.mjs';

const ROUNDS = Number(process.env.LOAD_ROUNDS ?? 3);
const SECONDS = Number(process.env.LOAD_SECONDS ?? 4);
const body = (template) =>
  JSON.stringify({ template, parameters: { region: 'emea' }, purpose: 'measure', ttlSeconds: 900 });

async function shoot(url, connections, token) {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
  const result = await autocannon({
    url: `${url}/tasks`,
    method: 'POST',
    headers,
    body: body('load-token'),
    connections,
    duration: SECONDS,
  });
  if (result.non2xx > 0) throw new Error(`${result.non2xx} requests were not answered with 201`);
  return { rate: result.requests.average, p50: result.latency.p50, p99: result.latency.p99 };
}

async function startBare(directory) {
  const home = join(directory, 'postgres');
  const password = readFileSync(join(home, 'postgres.password'), 'utf8').trim();
  const port = readFileSync(join(home, 'data', 'postmaster.pid'), 'utf8').split('\n')[3];
  const own = await freePort();
  const environment = {
    ...process.env,
    PORT: String(own),
    DATABASE_URL: `postgresql://postgres:${password}@127.0.0.1:${port}/postgres`,
  };
  const child = spawn(process.execPath, ['test/load/bare-server.mjs'], { env: environment, stdio: 'inherit' });
  const url = `http://127.0.0.1:${own}`;
  while (
    !(await fetch(url).then(
      () => true,
      () => false,
    ))
  )
    await new Promise((resolve) => setTimeout(resolve, 20));
  return { url, stop: () => child.kill('SIGTERM') };
}

async function compare(service, bare, token) {
  const rows = [];
  for (const connections of [1, 32]) {
    const rounds = [];
    await shoot(bare.url, connections);
    await shoot(service.url, connections, token);
    for (let round = 0; round < ROUNDS; round += 1) {
      rounds.push({ bare: await shoot(bare.url, connections), mayfly: await shoot(service.url, connections, token) });
    }
    for (const name of ['bare', 'mayfly']) {
      const of = (member) => median(rounds.map((round) => round[name][member]));
      rows.push({
        what: name === 'bare' ? 'bare Fastify, one insert' : 'POST /tasks, signed token',
        'in flight': connections,
        'per s': Math.round(of('rate')),
        'p50 ms': of('p50'),
        'p99 ms': of('p99'),
      });
    }
    rows.push({
      what: 'ratio, pair by pair',
      'in flight': connections,
      'per s': median(rounds.map((round) => round.mayfly.rate / round.bare.rate)).toFixed(2),
    });
  }
  console.table(rows);
}

/** One task on the database path: request, use, complete with the session open, until the session is dead. */
async function databaseTask(url, token) {
  const headers = { authorization: `Bearer ${token}` };
  const asked = performance.now();
  const answer = await fetch(`${url}/tasks`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: body('load-database'),
  });
  const grantedMs = performance.now() - asked;
  const task = await answer.json();
  const client = new pg.Client({ connectionString: task.credentials[0].secret.url });
  client.on('error', () => undefined);
  await client.connect();
  await client.query('SELECT count(*) FROM emea.cases');
  const dead = new Promise((resolve) => client.once('end', () => resolve(performance.now())));
  const completing = performance.now();
  await fetch(`${url}/tasks/${task.id}/complete`, { method: 'POST', headers }).then((completed) => completed.json());
  const completedMs = performance.now() - completing;
  return { grantedMs, completedMs, deadMs: (await dead) - completing };
}

async function measureDatabase(service, token) {
  const rows = [];
  for (const [inFlight, tasks] of [
    [1, 40],
    [32, 320],
  ]) {
    const results = [];
    let left = tasks;
    const began = performance.now();
    await Promise.all(
      Array.from({ length: inFlight }, async () => {
        while (left-- > 0) results.push(await databaseTask(service.url, token));
      }),
    );
    const seconds = (performance.now() - began) / 1000;
    for (const [what, member] of [
      ['POST /tasks, database role', 'grantedMs'],
      ['complete, answered', 'completedMs'],
      ['complete → open session dead', 'deadMs'],
    ]) {
      const values = results.map((result) => result[member]);
      rows.push({
        what,
        'in flight': inFlight,
        'p50 ms': median(values).toFixed(1),
        'p99 ms': percentile(values, 0.99).toFixed(1),
        'whole tasks per s': (tasks / seconds).toFixed(0),
      });
    }
  }
  console.table(rows);
}

async function firstToken(prepared) {
  const began = performance.now();
  const service = await start(prepared);
  const token = await service.token();
  const identified = performance.now();
  const answer = await fetch(`${service.url}/tasks`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: body('load-token'),
  });
  if (answer.status !== 201) throw new Error(`the first request was answered with ${answer.status}`);
  const requestMs = performance.now() - identified;
  return {
    service,
    token,
    startedMs: service.startedMs,
    firstTokenMs: service.startedMs + requestMs,
    withTokenToolMs: performance.now() - began,
  };
}

const prepared = prepareDirectory();
try {
  const cold = await firstToken(prepared);
  await cold.service.stop();
  const warm = await firstToken(prepared);
  const { service, token } = warm;
  const idle = service.rssMiB();
  const seconds = (ms) => (ms / 1000).toFixed(2);
  console.table([
    {
      'start-up, s': 'cold (empty data directory)',
      'spawn → ready': seconds(cold.startedMs),
      '+ first token issued': seconds(cold.firstTokenMs),
    },
    {
      'start-up, s': 'warm',
      'spawn → ready': seconds(warm.startedMs),
      '+ first token issued': seconds(warm.firstTokenMs),
    },
  ]);
  const bare = await startBare(prepared.directory);
  await compare(service, bare, token);
  bare.stop();
  await measureDatabase(service, token);
  console.table([
    { 'RSS of the service, MiB': 'idle', value: idle.toFixed(0) },
    { 'RSS of the service, MiB': 'after the load', value: service.rssMiB().toFixed(0) },
  ]);
  await service.stop();
} finally {
  prepared.remove();
}
