// Rounds of requests with the processor time that they cost, and the bare server beside which Mayfly is measured.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import autocannon from 'autocannon';
import { mainThreadMs, postgresMs, processMs } from './processor-time.mjs';
import { freePort, median } from './service.mjs';

/** The audit is sealed within this time; the processor time of a round includes it. */
const SETTLE_MS = 1_500;

/** The superuser's URL of a data directory's PostgreSQL. */
export function databaseUrl(directory, name = 'postgres') {
  const home = join(directory, 'postgres');
  const password = readFileSync(join(home, 'postgres.password'), 'utf8').trim();
  const port = readFileSync(join(home, 'data', 'postmaster.pid'), 'utf8').split('\n')[3];
  return `postgresql://postgres:${password}@127.0.0.1:${port}/${name}`;
}

/** Starts the bare server on the PostgreSQL of a data directory. */
export async function startBare({ directory }) {
  const port = await freePort();
  const environment = { ...process.env, PORT: String(port), DATABASE_URL: databaseUrl(directory) };
  const child = spawn(process.execPath, ['test/load/bare-server.mjs'], { env: environment, stdio: 'inherit' });
  const url = `http://127.0.0.1:${port}`;
  const isUp = () =>
    fetch(url).then(
      () => true,
      () => false,
    );
  while (!(await isUp())) await sleep(20);
  return { url, pid: child.pid, stop: () => child.kill('SIGTERM') };
}

/**
 * Sends `POST /tasks` for some seconds. Returns the rate, the latencies in ms, and the processor time a request in µs: of the
 * process, of its main thread, and of PostgreSQL.
 */
export async function round({ url, pid }, { directory }, { take, connections, seconds, amount }) {
  const cpu = () => [processMs(pid), mainThreadMs(pid), postgresMs(directory)];
  const before = cpu();
  const result = await autocannon({
    ...{ url: `${url}/tasks`, connections, ...(amount === undefined ? { duration: seconds } : { amount }) },
    requests: [{ setupRequest: (request) => ({ ...request, ...take() }) }],
  });
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${result.non2xx} requests were refused, ${result.errors} failed`);
  await sleep(SETTLE_MS);
  const [own, main, postgres] = cpu().map((ms, at) => ((ms - before[at]) * 1000) / result['2xx']);
  return { rate: result.requests.average, p50: result.latency.p50, p99: result.latency.p99, own, main, postgres };
}

/**
 * Measures the bare server and the service in turn. Returns the medians of each, and the medians of the ratios of the pairs: by
 * rate, and by processor time (1: the service costs what the bare server costs).
 */
export async function inTurn({ bare, service, prepared, take, connections, rounds, ...size }) {
  const one = (server) => round(server, prepared, { take: () => take('load-token'), connections, ...size });
  const pairs = [];
  await one(bare);
  await one(service);
  for (let n = 0; n < rounds; n += 1) pairs.push({ bare: await one(bare), service: await one(service) });
  const middle = (name) =>
    Object.fromEntries(Object.keys(pairs[0][name]).map((of) => [of, median(pairs.map((pair) => pair[name][of]))]));
  const cpu = ({ own, postgres }) => own + postgres;
  return {
    bare: middle('bare'),
    service: middle('service'),
    byRate: median(pairs.map((pair) => pair.service.rate / pair.bare.rate)),
    byProcessorTime: median(pairs.map((pair) => cpu(pair.bare) / cpu(pair.service))),
  };
}
