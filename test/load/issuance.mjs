// `POST /tasks` for a signed token against a bare insert, in turn, in one run; then the database path, from the request to
// "refused at the target". 50 agents, 20 templates, parameters of their own in each request. Prints tables; asserts nothing.
// `node --import ./test/load/run.mjs test/load/issuance.mjs`; LOAD_ROUNDS and LOAD_SECONDS change it.
import pg from 'pg';
import { report } from './report.mjs';
import { requestsOf } from './requests.mjs';
import { inTurn, startBare } from './rounds.mjs';
import { median, percentile, prepareDirectory, start } from './service.mjs';

const rounds = Number(process.env.LOAD_ROUNDS ?? 5);
const seconds = Number(process.env.LOAD_SECONDS ?? 4);

const AIMS = { 32: '0.9', 128: '1.0' };
const FIGURES = {
  'per s': ({ rate }) => Math.round(rate),
  'p50 ms': ({ p50 }) => p50,
  'p99 ms': ({ p99 }) => p99,
  'process µs': ({ own }) => own.toFixed(0),
  'main thread µs': ({ main }) => main.toFixed(0),
  'PostgreSQL µs': ({ postgres }) => postgres.toFixed(0),
};
const figures = (side) => Object.fromEntries(Object.entries(FIGURES).map(([name, of]) => [name, of(side)]));

async function compare(parts) {
  for (const connections of [1, 32, 128]) {
    const { bare, service, byRate, byProcessorTime } = await inTurn({ ...parts, connections, rounds, seconds });
    console.table({
      [`bare Fastify, one insert, ${connections} in flight`]: figures(bare),
      [`POST /tasks, signed token, ${connections} in flight`]: figures(service),
    });
    const aim = AIMS[connections];
    report([
      {
        what: `POST /tasks, signed token, ${connections} in flight, against a bare insert: by rate; by processor time`,
        measured: `${byRate.toFixed(2)}; ${byProcessorTime.toFixed(2)} (${(service.own + service.postgres).toFixed(0)} µs a request)`,
        ...(aim && { aim: `≥ ${aim}` }),
      },
      {
        what: `the same: p99, ms; main thread, µs`,
        measured: `${service.p99}; ${service.main.toFixed(0)}`,
        aim: '≤ 25; ≤ 110',
      },
    ]);
  }
}

/** One task on the database path: request, use, complete with the session open, until the session is dead. */
async function databaseTask(url, request) {
  const { headers } = request;
  const asked = performance.now();
  const answer = await fetch(`${url}/tasks`, request);
  const grantedMs = performance.now() - asked;
  const task = await answer.json();
  const client = new pg.Client({ connectionString: task.credentials[0].secret.url });
  client.on('error', () => undefined);
  await client.connect();
  await client.query('SELECT 1');
  const dead = new Promise((resolve) => client.once('end', () => resolve(performance.now())));
  const completing = performance.now();
  const { authorization } = headers;
  await fetch(`${url}/tasks/${task.id}/complete`, { method: 'POST', headers: { authorization } }).then((completed) =>
    completed.json(),
  );
  const completedMs = performance.now() - completing;
  return { grantedMs, completedMs, deadMs: (await dead) - completing };
}

async function databaseTasks(service, take) {
  for (const [inFlight, tasks, aim] of [
    [1, 60, 20],
    [32, 640, 100],
  ]) {
    const results = [];
    let left = tasks;
    const began = performance.now();
    await Promise.all(
      Array.from({ length: inFlight }, async () => {
        while (left-- > 0) results.push(await databaseTask(service.url, take('load-database')));
      }),
    );
    const seconds = (performance.now() - began) / 1000;
    const of = (member) => {
      const values = results.map((result) => result[member]);
      return `${median(values).toFixed(1)}; ${percentile(values, 0.99).toFixed(1)}`;
    };
    report([
      { what: `POST /tasks, database role, ${inFlight} in flight: p50; p99, ms`, measured: of('grantedMs') },
      {
        what: `complete → open session refused, ${inFlight} in flight: p50; p99, ms`,
        measured: of('deadMs'),
        aim: `p99 ≤ ${aim}`,
      },
      { what: `whole tasks with a session, ${inFlight} in flight, per s`, measured: (tasks / seconds).toFixed(0) },
    ]);
  }
}

const prepared = prepareDirectory();
try {
  const service = await start(prepared);
  const take = await requestsOf(prepared);
  const bare = await startBare(prepared);
  await compare({ bare, service, prepared, take });
  bare.stop();
  await databaseTasks(service, take);
  await service.stop();
} finally {
  prepared.remove();
}
