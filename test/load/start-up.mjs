// Start, memory and idle processor time of the embedded service, under the Node that runs this file. Prints tables with
// medians; asserts nothing. Loopback only, about two minutes. LOAD_STARTS, LOAD_REQUESTS and LOAD_NODE_OPTIONS change it.
import autocannon from 'autocannon';
import { setTimeout as sleep } from 'node:timers/promises';
import { postgresMs, processMs } from './processor-time.mjs';
import { report } from './report.mjs';
import { bodyOf } from './requests.mjs';
import { median, prepareDirectory, start } from './service.mjs';

const STARTS = Number(process.env.LOAD_STARTS ?? 5);
const REQUESTS = Number(process.env.LOAD_REQUESTS ?? 50_000);
const IDLE_SECONDS = 10;
const body = JSON.stringify(bodyOf('load-token-1', 1));

/** Starts the service and has it issue one token. `firstTokenMs` leaves out the tool that makes the identity token. */
async function firstToken(prepared) {
  const service = await start(prepared);
  const token = await service.token();
  const asked = performance.now();
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const answer = await fetch(`${service.url}/tasks`, { method: 'POST', headers, body });
  if (answer.status !== 201) throw new Error(`the first request was answered with ${answer.status}`);
  const requestMs = performance.now() - asked;
  return { service, headers, readyMs: service.startedMs, firstTokenMs: service.startedMs + requestMs };
}

async function coldStart() {
  const prepared = prepareDirectory();
  try {
    const started = await firstToken(prepared);
    await started.service.stop();
    return started;
  } finally {
    prepared.remove();
  }
}

async function warmStart(prepared) {
  const started = await firstToken(prepared);
  const cpuMs = processMs(started.service.pid);
  await started.service.stop();
  return { ...started, cpuMs };
}

/** Processor time a second while nothing happens. */
async function idle({ directory }, { pid }) {
  const before = [processMs(pid), postgresMs(directory)];
  await sleep(IDLE_SECONDS * 1000);
  return [processMs(pid) - before[0], postgresMs(directory) - before[1]].map((ms) => ms / IDLE_SECONDS);
}

async function load(service, headers) {
  const result = await autocannon({
    ...{ url: `${service.url}/tasks`, method: 'POST', headers, body },
    ...{ connections: 32, amount: REQUESTS },
  });
  if (result.non2xx > 0) throw new Error(`${result.non2xx} requests were not answered with 201`);
}

async function several(times, measure) {
  const results = [];
  for (let n = 0; n < times; n += 1) results.push(await measure());
  return results;
}

const seconds = (ms) => (ms / 1000).toFixed(2);
const row = (what, results) => ({
  what,
  'spawn → ready, s': seconds(median(results.map(({ readyMs }) => readyMs))),
  '+ first token, s': seconds(median(results.map(({ firstTokenMs }) => firstTokenMs))),
  'best, s': seconds(Math.min(...results.map(({ firstTokenMs }) => firstTokenMs))),
  ...(results[0].cpuMs && { 'processor time, s': seconds(median(results.map(({ cpuMs }) => cpuMs))) }),
});

const prepared = prepareDirectory();
try {
  console.log(`Node ${process.version} ${process.env.LOAD_NODE_OPTIONS ?? ''}`);
  const cold = await several(Math.ceil(STARTS / 2), coldStart);
  await warmStart(prepared);
  const warm = await several(STARTS, () => warmStart(prepared));
  console.table([row('cold: empty data directory', cold), row('warm', warm)]);
  const { service, headers } = await firstToken(prepared);
  await sleep(5_000);
  const [own, postgres] = await idle(prepared, service);
  const idleMiB = service.rssMiB();
  await load(service, headers);
  await sleep(10_000);
  const first = (starts) => seconds(median(starts.map(({ firstTokenMs }) => firstTokenMs)));
  report([
    { what: 'start to the first token: empty data directory, s', measured: first(cold), aim: '≤ 2' },
    { what: 'start to the first token: warm, s', measured: first(warm), aim: '≤ 1.0 (Node 24), ≤ 1.3 (Node 20)' },
    { what: 'RSS idle, MiB', measured: idleMiB.toFixed(0), aim: '≤ 210' },
    { what: `RSS after ${REQUESTS} requests, MiB`, measured: service.rssMiB().toFixed(0), aim: '≤ 250' },
    {
      what: 'idle: processor time of the service + PostgreSQL, ms a second',
      measured: `${own.toFixed(1)} + ${postgres.toFixed(1)}`,
      aim: '≤ 10',
    },
  ]);
  await service.stop();
} finally {
  prepared.remove();
}
