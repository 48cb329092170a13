// Declared state at scale: copies of the starter agents, templates and connections in the database, two replicas. Prints the
// start, `GET /me`, the time from the commit of a change to its effect at the other replica, and memory. Asserts nothing.
// `node --import ./test/load/run.mjs test/load/catalog.mjs`; LOAD_AGENTS, LOAD_TEMPLATES and LOAD_CONNECTIONS change the size.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { openDatabaseScene } from '../support/broker-process.js';
import { processMs } from './processor-time.mjs';
import { report } from './report.mjs';
import { median } from './service.mjs';

const AGENTS = Number(process.env.LOAD_AGENTS ?? 20_000);
const TEMPLATES = Number(process.env.LOAD_TEMPLATES ?? 5_000);
const CONNECTIONS = Number(process.env.LOAD_CONNECTIONS ?? 1_000);
const ROUNDS = Number(process.env.LOAD_ROUNDS ?? 5);
const AGENT = 'support-agent';

const scene = await openDatabaseScene();
const database = new pg.Client({ connectionString: scene.database.adminUrl });
await database.connect();

/** An agent may use the templates of its duty: one of 250, so some 20 templates. */
const DUTY = "jsonb_build_object('duty', 'load-' || n % 250)";

/** Copies the stored starter rows under new names, in one transaction, as an import would leave them. */
async function fill() {
  await database.query('BEGIN');
  await database.query(
    `INSERT INTO agent (id, name, labels, spec, state, updated_by)
     SELECT a.id || '-' || n, a.name || '-' || n, ${DUTY},
       jsonb_set(a.spec::jsonb, '{identities}', jsonb_build_array(jsonb_set(a.spec::jsonb->'identities'->0, '{subject}', to_jsonb(a.name || '-' || n)))), a.state, 'load'
     FROM agent a, generate_series(1, $1::int) n WHERE a.name = $2`,
    [AGENTS, AGENT],
  );
  await database.query(
    `INSERT INTO connection (name, labels, spec, updated_by)
     SELECT name || '-' || n, labels, spec, 'load' FROM (SELECT * FROM connection ORDER BY name LIMIT 1) c, generate_series(1, $1::int) n`,
    [CONNECTIONS],
  );
  const { rows } = await database.query("SELECT name FROM template WHERE state = 'published' ORDER BY name");
  const copies = Math.ceil(TEMPLATES / rows.length);
  await database.query(
    `INSERT INTO template (name, labels, state, current_version)
     SELECT name || '-' || n, labels, state, 1 FROM template, generate_series(1, $1::int) n WHERE state = 'published'`,
    [copies],
  );
  await database.query(
    `INSERT INTO template_version (name, version, labels, spec, digest, author, publisher)
     SELECT v.name || '-' || n, 1, v.labels, jsonb_set(v.spec::jsonb, '{requesters,agents}', ${DUTY}), v.digest, 'load', 'load'
     FROM template_version v, generate_series(1, $1::int) n WHERE v.version = 1`,
    [copies],
  );
  await database.query('COMMIT');
}

async function timed(work) {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** Processor time of a replica during `work`, in milliseconds. */
async function processorMs({ pid }, work) {
  const before = processMs(pid);
  await work();
  return processMs(pid) - before;
}

async function several(work) {
  const times = [];
  for (let n = 0; n < ROUNDS; n += 1) times.push(await timed(() => work(n)));
  return times;
}

const rssMiB = ({ pid }) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

async function answer(broker, route, call, wanted = 200) {
  const answered = await broker.send(route, call);
  if (answered.status !== wanted)
    throw new Error(`${route}: ${answered.status} ${JSON.stringify(answered.body)}, ${wanted} expected`);
  return answered;
}

/** Suspends an agent at one replica. Returns the time of the call, and the time from then until the other one knows it. */
async function suspend(name, at, other, platform) {
  const token = await scene.agentToken(name);
  await answer(other, 'GET /me', { token });
  const callMs = await timed(() =>
    answer(at, `POST /agents/${name}/suspend`, { token: platform, body: { reason: 'load' } }),
  );
  const visibleMs = await timed(async () => {
    for (let tries = 0; tries < 2000; tries += 1) {
      const { body } = await other.send('GET /me', { token });
      if (JSON.stringify(body).includes('suspended')) return;
      await sleep(5);
    }
  });
  return { callMs, visibleMs };
}

/** Replaces an agent's document by one with another owner. */
async function change(name, owner, broker, platform) {
  const { body, headers } = await answer(broker, `GET /agents/${name}`, { token: platform });
  const document = { kind: 'Agent', metadata: { name, labels: body.labels }, spec: { ...body.spec, owner } };
  const ifMatch = { 'if-match': headers.get('etag') };
  const put = () => answer(broker, `PUT /agents/${name}`, { token: platform, headers: ifMatch, body: document });
  let callMs;
  const cpuMs = await processorMs(broker, async () => (callMs = await timed(put)));
  return { callMs, cpuMs };
}

async function firstStart(environment) {
  let broker;
  const ms = await timed(async () => (broker = await scene.start(environment)));
  return { broker, ms };
}

try {
  await (await scene.start()).stop();
  await fill();
  const { broker: first, ms: startMs } = await firstStart();
  const startCpuMs = processMs(first.pid);
  const { broker: second } = await firstStart();
  const platform = await scene.personToken('platform');
  const me = async () => answer(second, 'GET /me', { token: await scene.agentToken(`${AGENT}-7`) });
  const firstMeMs = await timed(me);
  const meMs = await several(me);
  const suspensions = [];
  const changes = [];
  for (let n = 0; n < ROUNDS; n += 1) {
    suspensions.push(await suspend(`${AGENT}-${n + 100}`, first, second, platform));
    changes.push(await change(`${AGENT}-${n + 200}`, `owner-${n}`, first, platform));
  }
  const ms = (values) => median(values).toFixed(0);
  const size = `${AGENTS} agents, ${TEMPLATES} templates, ${CONNECTIONS} connections`;
  report([
    { what: `start with ${size}, ms`, measured: startMs.toFixed(0), aim: '≤ 3000' },
    { what: 'start: processor time, ms', measured: startCpuMs.toFixed(0) },
    { what: 'GET /me, ms: the first, median', measured: `${firstMeMs.toFixed(0)}, ${ms(meMs)}`, aim: '≤ 20' },
    { what: 'suspension: the call, ms', measured: ms(suspensions.map(({ callMs }) => callMs)) },
    {
      what: 'suspension: from the answer until the other replica has it, ms',
      measured: ms(suspensions.map(({ visibleMs }) => visibleMs)),
      aim: '≤ 1000',
    },
    { what: "change of an agent's document: the call, ms", measured: ms(changes.map(({ callMs }) => callMs)) },
    {
      what: "change of an agent's document: processor time of the replica, ms",
      measured: ms(changes.map(({ cpuMs }) => cpuMs)),
    },
    { what: 'RSS of the replicas, MiB', measured: `${rssMiB(first).toFixed(0)}, ${rssMiB(second).toFixed(0)}` },
  ]);
} finally {
  await database.end();
  await scene.close();
}
