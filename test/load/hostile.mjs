// Measures how long a lease lives after its task was completed, while another agent misbehaves at the same target: from the request
// `POST /tasks/:id/complete` to the moment from which the lease's own open session fails a read and a new login is refused.
// The service is the embedded default, so that its own store and the target are one server: the hardest case.
// Prints a table; asserts nothing. Loopback only. `node test/load/hostile.mjs`, after `npm ci`.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { percentile, prepareDirectory, start } from './service.mjs';

const ENDS = Number(process.env.LOAD_ENDS ?? 40);
const GIVE_UP_MS = 60_000;

const directory = prepareDirectory();
writeFileSync(
  join(directory.configDir, 'hostile.yaml'),
  `kind: Agent
metadata: { name: hostile-agent, labels: { duty: load } }
spec: { owner: measuring, backupOwner: platform, identities: [{ issuer: development, subject: hostile-agent, runtime: developer-laptop }] }
`,
);
const service = await start(directory);
const tokens = { victim: await service.token('load-agent-1'), hostile: await service.token('hostile-agent') };

async function send(method, path, token, body) {
  const answer = await fetch(service.url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: await answer.json() };
}

async function open(url) {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

async function mint(token) {
  const request = { template: 'load-database-1', parameters: { region: 'emea' }, purpose: 'measuring' };
  let { status, body } = await send('POST', '/tasks', token, request);
  // After an attack the server takes some time to give back what it held.
  for (let tries = 0; (status === 503 || body.reason === 'paused') && tries < 100; tries += 1) {
    await pause(300);
    ({ status, body } = await send('POST', '/tasks', token, request));
  }
  if (status !== 201) throw new Error(`no lease: ${status} ${JSON.stringify(body)}`);
  return { id: body.id, url: body.credentials[0].secret.url, role: body.credentials[0].secret.username };
}

/**
 * Milliseconds until the open session fails (`sessionMs`), and until a new login is refused for its role as well; `refusals`
 * are answers other than 2xx.
 */
async function completeAndTry(lease, session) {
  const began = performance.now();
  let refusals = 0;
  const completing = (async () => {
    while (performance.now() - began < GIVE_UP_MS) {
      const { status } = await send('POST', `/tasks/${lease.id}/complete`, tokens.victim).catch(() => ({ status: 0 }));
      if (status === 200) return;
      refusals += 1;
      await pause(20);
    }
  })();
  const works = (attempt) =>
    attempt.then(
      () => true,
      () => false,
    );
  while (await works(session.query('SELECT id FROM emea.customers LIMIT 1'))) {
    if (performance.now() - began > GIVE_UP_MS) break;
    await pause(2);
  }
  const sessionMs = performance.now() - began;
  // Where the server is full, a login of anybody fails with 53300. That proves no bar, so that the try is repeated until the
  // server asks for the password: the time until then is also that of a free slot.
  for (;;) {
    const code = await open(lease.url).then(
      (client) => client.end().then(() => 'in'),
      (error) => error.code,
    );
    if (code === '28P01' || code === '28000' || performance.now() - began > GIVE_UP_MS) break;
    await pause(2);
  }
  const milliseconds = performance.now() - began;
  await completing;
  return { milliseconds, sessionMs, refusals };
}

/** Subtransactions inside each other: each that has an id of its own takes an entry, and no right is needed. */
async function fillLockTable(client) {
  await client.query('BEGIN');
  try {
    for (;;) await client.query('SAVEPOINT deeper; SELECT pg_current_xact_id();'.repeat(500));
  } catch {
    // The innermost one failed, and is given back; those around it keep their entries. A session that was ended has none.
    await client.query('ROLLBACK TO deeper').catch(() => undefined);
  }
}

/** Keeps `sessions` sessions of each lease busy with `once`, again whenever they are ended, until `stop` is called. */
function keepDoing(leases, sessions, once) {
  let stopped = false;
  const loop = async (url) => {
    while (!stopped) {
      await open(url)
        .then(async (client) => {
          const ended = new Promise((resolve) => client.once('end', resolve));
          await once(client);
          while (!stopped && (await Promise.race([ended.then(() => true), pause(50)])) !== true);
          await client.end().catch(() => undefined);
        })
        .catch(() => undefined);
      await pause(1);
    }
  };
  const loops = leases.flatMap(({ url }) => Array.from({ length: sessions }, () => loop(url)));
  return async () => {
    stopped = true;
    await Promise.all(loops);
  };
}

async function freezeTen(leases) {
  const pids = [];
  for (const { url } of leases) {
    const client = await open(url);
    const { rows } = await client.query('SELECT pg_backend_pid() AS pid');
    process.kill(rows[0].pid, 'SIGSTOP');
    pids.push(rows[0].pid);
  }
  const ending = leases.map(({ id }) => send('POST', `/tasks/${id}/complete`, tokens.hostile).catch(() => undefined));
  return async () => {
    for (const pid of pids) process.kill(pid, 'SIGCONT');
    await Promise.all(ending);
  };
}

const ATTACKS = [
  ['nobody', 0, async () => async () => undefined],
  [
    'the lock table is filled, again and again, by 4 sessions',
    1,
    async (leases) => keepDoing(leases, 4, fillLockTable),
  ],
  [
    '40 leases open all connections that the server gives',
    40,
    async (leases) => keepDoing(leases, 5, async () => undefined),
  ],
  ['10 leases end whose sessions ignore it', 10, freezeTen],
];

const rows = [];
try {
  for (const [attack, leases, begin] of ATTACKS) {
    const hostile = await Promise.all(Array.from({ length: leases }, () => mint(tokens.hostile)));
    const victims = [];
    for (let index = 0; index < ENDS; index += 1) victims.push(await mint(tokens.victim));
    const sessions = [];
    // their sessions are open before the attack; half of them at a time, so that the server has slots left for it
    for (const { url } of victims.slice(0, 40)) sessions.push(await open(url));
    const stop = await begin(hostile);
    await pause(500);
    const times = [];
    const deaths = [];
    let refusals = 0;
    for (const [index, session] of sessions.entries()) {
      const result = await completeAndTry(victims[index], session);
      times.push(result.milliseconds);
      deaths.push(result.sessionMs);
      refusals += result.refusals;
    }
    await stop();
    for (const { id } of hostile) await send('POST', `/tasks/${id}/complete`, tokens.hostile).catch(() => undefined);
    for (const { id } of victims.slice(sessions.length)) await send('POST', `/tasks/${id}/complete`, tokens.victim);
    rows.push({
      'what goes on': attack,
      ends: times.length,
      'session dead p50 ms': Math.round(percentile(deaths, 0.5)),
      'session dead p99 ms': Math.round(percentile(deaths, 0.99)),
      'p50 ms': Math.round(percentile(times, 0.5)),
      'p99 ms': Math.round(percentile(times, 0.99)),
      'max ms': Math.round(Math.max(...times)),
      'answers other than 200': refusals,
    });
    console.log(JSON.stringify(rows.at(-1)));
  }
} finally {
  await service.stop();
  directory.remove();
}
console.table(rows);
