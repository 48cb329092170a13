import { createPrivateKey } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startEmbeddedPostgres } from '@mayfly/embedded';
import type { AuditEntryType } from '@mayfly/audit';
import { factFaults } from '@mayfly/testing';
import { Sealer } from '@mayfly/trust';
import type { TestAnswer, TestCall } from '../support/broker.js';
import { type BrokerProcess, openEmbeddedScene } from '../support/broker-process.js';
import { Canaries } from '../support/canaries.js';
import { everyRow } from '../support/every-row.js';
import { postForm } from '../support/form.js';
import { rowsOf } from '../support/rows.js';
import { openTransaction } from '../support/target.js';
import { until } from '../support/until.js';
import { READ_EMEA, secretOf, type TaskBody, taskIn } from '../support/tasks.js';

const SEALING_KEY = '5ea1'.repeat(16);
const MARKER = 'a purpose that must be found';

const scene = openEmbeddedScene();
const canaries = new Canaries();
const problems: string[] = [];
const answers: string[] = [];
/** The audit as it is stored. */
const entries: StoredEntry[] = [];
/** The places in which the test looks for canaries. */
const places = new Map<string, string>();

let broker: BrokerProcess;
let agent: string;

/** An answer that may hold no secret. */
async function ask(route: string, token: string | undefined, call: TestCall = {}): Promise<TestAnswer> {
  const answer = await broker.send(route, { ...(token === undefined ? {} : { token }), ...call });
  const text = JSON.stringify([route.split(' ')[0], answer.status, [...answer.headers], answer.body]);
  (answer.status < 400 ? answers : problems).push(text);
  if (answer.status >= 400) expect(answer.headers.get('content-type')).toContain('application/problem+json');
  return answer;
}

/** An answer that delivers secrets, which are planted. */
async function deliver(name: string, route: string, call: TestCall): Promise<TaskBody> {
  const task = taskIn(await broker.send(route, { token: agent, ...call }));
  for (const { secret } of task.credentials) {
    if (secret?.password !== undefined) canaries.plant(`password of ${name}`, secret.password);
    if (secret?.token !== undefined) canaries.plantToken(`token of ${name}`, secret.token);
  }
  // The rest of a task token is the id of the task, which is no secret. The replay has the same token.
  if (task.taskToken !== undefined) canaries.plantSeen('task token', task.taskToken.value.slice(-43));
  return task;
}

/** Grants, renewals and ends of every kind, and everything that can be read of them. */
async function liveThrough(): Promise<void> {
  const keyed = { body: { ...READ_EMEA, purpose: MARKER }, headers: { 'idempotency-key': 'key-1' } };
  const first = await deliver('the first task', 'POST /tasks', keyed);
  await deliver('the replay', 'POST /tasks', keyed);
  const second = await deliver('the second task', 'POST /tasks', { body: { ...READ_EMEA, ttlSeconds: 60 } });
  await deliver('the renewal', `POST /tasks/${second.id}/renew`, { body: { ttlSeconds: 900 } });
  const third = await deliver('the short task', 'POST /tasks', { body: { ...READ_EMEA, ttlSeconds: 2 } });
  const session = await openTransaction(secretOf(third, 'db', 'url'));
  const token = secretOf(first, 'api', 'token');
  const server = await scene.resourceServerToken('cases');
  canaries.plantToken('identity of a resource server', server);
  answers.push((await postForm(`${broker.url}/oauth/introspect`, server, { token })).text);
  const operation = { operation: 'cases.read', target: 'https://cases.example' };
  for (const shown of [first.taskToken?.value, token, `${token}x`])
    await ask('POST /authorize', server, { body: { ...operation, token: shown, requestId: 'r-1' } });
  await ask('POST /authorize', server, { body: { ...operation, token: first.taskToken?.value, target: token } });
  await ask(`POST /tasks/${second.id}/heartbeat`, agent);
  await ask(`POST /tasks/${second.id}/fail`, agent, { body: { reason: 'no use' } });
  await goWrongWith(token);
  await ask(`POST /tasks/${first.id}/complete`, agent);
  await session.ended;
  await readEverything(first.id);
}

async function goWrongWith(token: string): Promise<void> {
  const operator = await scene.personToken('operator');
  canaries.plantToken('identity of a person', operator);
  const body = READ_EMEA;
  await ask('POST /tasks', token, { body });
  await ask('POST /tasks', `${token}x`, { body });
  await ask('POST /tasks', agent.slice(0, -2), { body });
  await ask('POST /tasks', operator, { body });
  await ask('POST /tasks', agent, { body: { ...body, parameters: { region: token } } });
  await ask('POST /tasks', agent, { body: { ...body, ttlSeconds: token } });
  await ask(`GET /tasks/${token}`, agent);
  await ask(`GET /nowhere/${token}?token=${token}`, agent);
  await ask(`GET /tasks/%E0%A4%A${token}`, agent);
  await ask(`GET /tasks?authorization=${token}`, agent);
  problems.push((await postForm(`${broker.url}/oauth/introspect`, undefined, { token })).text);
}

async function readEverything(taskId: string): Promise<void> {
  const auditor = await scene.personToken('auditor');
  for (const path of ['issuances', 'audit/entries', `tasks/${taskId}`, `tasks/${taskId}/timeline`]) {
    expect(await ask(`GET /${path}`, auditor)).toMatchObject({ status: 200 });
  }
  const platform = await scene.personToken('platform');
  const keys = ['.well-known/jwks.json', 'federation/jwks.json', 'federation/.well-known/openid-configuration'];
  for (const path of ['issuers', 'connections', 'agents', 'templates', ...keys]) {
    expect(await ask(`GET /${path}`, platform)).toMatchObject({ status: 200 });
  }
  await ask('GET /me', agent);
  const judged = await scene.agentToken('research-agent');
  canaries.plantToken('token that an issuer was tested with', judged);
  expect(await ask('POST /issuers/development/test', platform, { body: { token: judged } })).toMatchObject({
    status: 200,
  });
  await ask('POST /issuers/development/test', platform, { body: { token: `${judged}x` } });
  await ask('POST /issuers/development/test', platform, { body: { tokens: judged } });
  answers.push(await (await fetch(`${broker.url}/metrics`)).text());
}

/** A target that refuses the connection's own login. */
async function refusedByTarget(url: string): Promise<string> {
  const wrong = new URL(url);
  [wrong.username, wrong.password] = ['mayfly_crm', 'canary-of-a-refused-login'];
  canaries.plant('password of a refused login', wrong.password);
  broker = await scene.start({ ...SETTINGS, CRM_DATABASE_URL: wrong.href });
  // 502 by the refused login, or 503 where a lease could not be ended by it before
  expect([502, 503]).toContain((await ask('POST /tasks', agent, { body: READ_EMEA })).status);
  await broker.stop();
  return broker.output();
}

/** A start that fails over its own configuration. */
async function refusedToStart(): Promise<string> {
  canaries.plant('password of a wrong setting', 'canary-of-a-wrong-setting');
  const url = 'mysql://someone:canary-of-a-wrong-setting@127.0.0.1:1/x';
  const down = 'postgresql://someone:canary-of-a-wrong-setting@127.0.0.1:1/x';
  const outputs = [url, down].map((DATABASE_URL) =>
    scene.start({ ...SETTINGS, DATABASE_URL, MAYFLY_PUBLIC_URL: 'https://mayfly.example' }).then(
      () => 'it started',
      (error: unknown) => String(error),
    ),
  );
  const text = (await Promise.all(outputs)).join('\n');
  expect(text).toContain('DATABASE_URL');
  return text;
}

const SETTINGS = { MAYFLY_LOG_LEVEL: 'trace', MAYFLY_SEALING_KEY: SEALING_KEY };

/** True when the queue, which opens with its first wake-up, has rows in the running database. */
async function hasWakeUps(): Promise<boolean> {
  const home = join(scene.dataDir, 'postgres');
  const password = readFileSync(join(home, 'postgres.password'), 'utf8').trim();
  const port = readFileSync(join(home, 'data', 'postmaster.pid'), 'utf8').split('\n')[3] ?? '';
  const url = `postgresql://postgres:${password}@127.0.0.1:${port}/mayfly`;
  return (await everyRow(url)).some((row) => row.startsWith('bullmq.job '));
}

/** Reads the files and the database of the service after it has ended. */
async function readWhatIsLeft(): Promise<void> {
  const server = await startEmbeddedPostgres({ dataDir: scene.dataDir });
  try {
    const [mayfly, crm] = [server.url('mayfly', 'postgres'), server.url('crm', 'postgres')];
    for (const role of ['postgres', 'mayfly_app', 'mayfly_crm'] as const) {
      canaries.plant(`password of ${role}`, server.password(role).content);
    }
    const keys = await rowsOf<SigningKeyRow & { sealed: Buffer }>(
      mayfly,
      'SELECT kid, purpose, sealed_private_key AS sealed, active_from FROM signing_key',
    );
    expect(keys.map(({ purpose }) => purpose).toSorted()).toEqual(['access', 'federation']);
    for (const key of keys) {
      plantKey(`${key.purpose} key`, new Sealer({ current: SEALING_KEY }).open(key.sealed, contextOf(key)));
    }
    entries.push(...(await rowsOf<StoredEntry>(mayfly, 'SELECT type, body FROM audit_entry')));
    places.set('rows', [...(await everyRow(mayfly)), ...(await everyRow(crm))].join('\n'));
  } finally {
    await server.stop();
  }
}

/** The members of an entry's body that every kind has. */

interface StoredEntry {
  readonly type: AuditEntryType;
  readonly body: string;
}

interface SigningKeyRow {
  readonly kid: string;
  readonly purpose: string;
  readonly active_from: Date;
}

/** As libs/trust binds a sealed key to its row. */
function contextOf({ kid, purpose, active_from }: SigningKeyRow): string {
  const kind = purpose === 'access' ? 'signing-key' : `${purpose}-signing-key`;
  return `${kind}:${kid}:${active_from.toISOString()}`;
}

function plantKey(name: string, der: Buffer): void {
  const { d = '', p, q } = createPrivateKey({ key: der, type: 'pkcs8', format: 'der' }).export({ format: 'jwk' });
  // Each factor of an RSA key gives the whole key away.
  for (const [member, value] of Object.entries({ d, p, q })) {
    if (value === undefined) continue;
    canaries.plant(`${member} of ${name}`, value);
    canaries.plant(`${member} of ${name} (hexadecimal)`, Buffer.from(value, 'base64url').toString('hex'));
  }
  canaries.plant(`${name} (DER)`, der.toString('hex'));
}

function serverLogs(): string {
  const logs = readdirSync(scene.dataDir, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.log'),
  );
  expect(logs.length).toBeGreaterThan(0);
  return logs.map((name) => readFileSync(join(scene.dataDir, name), 'utf8')).join('\n');
}

beforeAll(async () => {
  canaries.plant('sealing key', SEALING_KEY);
  broker = await scene.start(SETTINGS);
  agent = await scene.agentToken('support-agent');
  canaries.plantToken('identity of the agent', agent);
  const development = readFileSync(join(scene.dataDir, 'development-issuer.json'), 'utf8');
  for (const [name, pem] of Object.entries(JSON.parse(development) as Record<string, string>)) {
    plantKey(`key of ${name}`, createPrivateKey(pem).export({ format: 'der', type: 'pkcs8' }));
  }
  await liveThrough();
  const { url } = (await deliver('the last task', 'POST /tasks', { body: READ_EMEA })).credentials[0]?.secret ?? {};
  await until('the queue has the wake-ups', 30, hasWakeUps);
  await broker.stop();
  const outputs = [broker.output(), await refusedByTarget(url ?? ''), await refusedToStart()];
  await readWhatIsLeft();
  places.set('output of the service', outputs.join('\n'));
  places.set('log of the database server', serverLogs());
  places.set('answers', answers.join('\n'));
  places.set('problems', problems.join('\n'));
}, 180_000);
afterAll(() => scene.close());

describe('the audit of a whole life', () => {
  it('the audit of a task has the facts that `ENTRY_FACTS` says for each kind of entry, and nothing else', () => {
    const kinds = new Set(entries.map(({ type }) => type));
    for (const kind of ['task.granted', 'task.denied', 'identity.refused', 'lease.revoked', 'task.renewed'] as const) {
      expect(kinds).toContain(kind);
    }
    expect(entries.flatMap(({ body }) => factFaults(body))).toEqual([]);
  });
});

describe('a planted secret', () => {
  it('a planted secret is of every kind that there is', () => {
    expect(canaries.names.length).toBeGreaterThan(25);
  });

  it.each(['rows', 'output of the service', 'log of the database server', 'answers', 'problems'])(
    'a planted secret is found nowhere in the %s',
    (place) => {
      expect(canaries.findIn(places.get(place) ?? '')).toEqual([]);
    },
  );

  it('a planted secret would be found', () => {
    for (const [place, marker] of [
      ['rows', MARKER],
      ['answers', 'mayfly_issuance_total'],
      ['output of the service', 'Server listening at'],
      ['log of the database server', 'database system is ready'],
      ['problems', 'urn:mayfly:problem:unauthenticated'],
    ] as const) {
      const probe = new Canaries();
      probe.plant('marker', marker);
      expect(probe.findIn(places.get(place) ?? '')).toEqual(['marker']);
    }
    const sealed = new Canaries();
    sealed.plant('text in bytes', 'a text that stands in bytes');
    for (const encoding of ['hex', 'base64', 'base64url', 'utf8'] as const) {
      expect(sealed.findIn(Buffer.from('x a text that stands in bytes y').toString(encoding))).toHaveLength(1);
    }
  });
});

describe('rows of the queue', () => {
  it('rows of the queue were looked at, too', () => {
    expect(places.get('rows')).toMatch(/^bullmq\./m);
  });
});
