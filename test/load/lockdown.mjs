// A lockdown through the service: how fast it answers over 10,000 tasks with a signed token, and how fast it ends 1,000 database
// roles with an open session each, from the request to the last session that is dead at the target. Prints a table; asserts
// nothing. `node --import ./test/load/run.mjs test/load/lockdown.mjs`; LOAD_TOKENS and LOAD_SESSIONS change the sizes.
import { spawn } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { developmentIssuer } from '@mayfly/embedded';
import pg from 'pg';
import { report } from './report.mjs';
import { inFlight, requestsOf } from './requests.mjs';
import { percentile, prepareDirectory, start } from './service.mjs';

const TOKENS = Number(process.env.LOAD_TOKENS ?? 10_000);
const SESSIONS = Number(process.env.LOAD_SESSIONS ?? 1_000);

/** Starts the service once, then its database server with room for `connections`; the next service takes that server over. */
async function makeRoom(prepared, connections) {
  const first = await start(prepared);
  const data = join(prepared.directory, 'postgres', 'data');
  const pid = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0];
  const of = (name) => readFileSync(`/proc/${pid}/${name}`, 'utf8').split('\0').slice(0, -1);
  const [program, ...given] = of('cmdline');
  const env = Object.fromEntries(of('environ').map((pair) => [pair.split('=')[0], pair.slice(pair.indexOf('=') + 1)]));
  const { uid, gid } = statSync(`/proc/${pid}`);
  await first.stop();
  const wanted = given.map((word) => word.replace(/^(max_connections=|--max_connections=).*/, `$1${connections}`));
  if (wanted.join() === given.join())
    throw new Error(`the server was started without max_connections: ${given.join(' ')}`);
  spawn(program, wanted, { env, uid, gid, stdio: 'ignore', cwd: '/' });
}

async function person(prepared, subject) {
  const issuer = await developmentIssuer(prepared.directory, { production: false });
  return issuer.issueToken({ role: 'operator', subject });
}

function caller(service, token) {
  return async (method, path, body) => {
    const answer = await fetch(service.url + path, {
      ...{ method, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' } },
      ...(body && { body: JSON.stringify(body) }),
    });
    const read = await answer.json();
    if (!answer.ok) throw new Error(`${method} ${path} was answered with ${answer.status}: ${JSON.stringify(read)}`);
    return read;
  };
}

async function granted(service, request) {
  const answer = await fetch(`${service.url}/tasks`, request);
  if (answer.status !== 201) throw new Error(`a request was answered with ${answer.status}`);
  return answer.json();
}

/** Engages a lockdown; returns the time of its answer and that of the last proof, in seconds. */
async function lockDown([ada, grace], scope) {
  const began = performance.now();
  const since = () => (performance.now() - began) / 1000;
  const { id } = await ada('POST', '/lockdowns', { scope, reason: 'measure' });
  const answered = since();
  let lockdown;
  do {
    await sleep(50);
    lockdown = await ada('GET', `/lockdowns/${id}`);
  } while (lockdown.state === 'engaging' || lockdown.progress.revoking > 0);
  const proven = since();
  await ada('POST', `/lockdowns/${id}/release`, { reason: 'measured' });
  await grace('POST', `/lockdowns/${id}/release`, { reason: 'measured' });
  return { began, answered, proven, matched: lockdown.progress.matched };
}

/** Opens a session; returns the instant at which the server ends it, inside an object so that nobody waits for it here. */
async function openSession(task) {
  const client = new pg.Client({ connectionString: task.credentials[0].secret.url });
  client.on('error', () => undefined);
  const dead = new Promise((resolve) => client.once('end', () => resolve(performance.now())));
  await client.connect();
  return { dead };
}

const prepared = prepareDirectory();
try {
  await makeRoom(prepared, SESSIONS + 200);
  const service = await start(prepared);
  const take = await requestsOf(prepared);
  const operators = [caller(service, await person(prepared, 'ada')), caller(service, await person(prepared, 'grace'))];

  await inFlight(64, TOKENS, () => granted(service, take('load-token')));
  const tokens = await lockDown(operators, { kind: 'all' });

  const sessions = await inFlight(32, SESSIONS, async () => openSession(await granted(service, take('load-quick'))));
  const roles = await lockDown(operators, { kind: 'connection', name: 'crm-quick' });
  const ends = (await Promise.all(sessions.map(({ dead }) => dead))).map((at) => (at - roles.began) / 1000);
  report([
    {
      what: `a lockdown of ${tokens.matched} tasks with a signed token: answered; all proven, s`,
      measured: `${tokens.answered.toFixed(2)}; ${tokens.proven.toFixed(2)}`,
      aim: 'answered ≤ 1',
    },
    {
      what: `a lockdown of ${roles.matched} database roles with an open session each: answered; sessions dead, p50; last; all proven, s`,
      measured: [roles.answered, percentile(ends, 0.5), Math.max(...ends), roles.proven]
        .map((s) => s.toFixed(2))
        .join('; '),
      aim: 'last ≤ 2',
    },
  ]);
  await service.stop();
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  prepared.remove();
  process.exit();
}
