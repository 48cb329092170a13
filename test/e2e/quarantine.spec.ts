import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '@mayfly/kernel';
import { startTestPostgres, type TestDatabase } from '@mayfly/testing';
import { newTestIssuers, startTestBroker, type TestAnswer, type TestBroker } from '../support/broker.js';
import { agentDocument, templateDocument } from '../support/documents.js';
import { giveBack } from '../support/give-back.js';
import { rowsOf } from '../support/rows.js';
import { READ_CASES, type Starter, starterWith } from '../support/starter.js';
import { grant, leaseIdOf, secretOf, type TaskBody, taskIn } from '../support/tasks.js';
import { leaseRoles, roleOf } from '../support/target.js';
import { until } from '../support/until.js';

const PURPOSE = 'answer a ticket';
const READ = { template: 'read', parameters: {}, purpose: PURPOSE };
const DOCUMENTS = [
  ...['searcher', 'writer'].map((name) => agentDocument(name)),
  templateDocument('read', {
    credentials: READ_CASES,
    delegation: { templates: ['read'], maxDepth: 2, maxChildren: 5 },
  }),
];

const issuers = newTestIssuers();
let starter: Starter;
let directory: string;
let database: TestDatabase;
let backup: string;
let root: string;
let replicas: readonly [TestBroker, TestBroker];
/** in the backup; granted after the backup, as a task and as the child of a task that the backup has */
let [kept, parent, ending, outlived, child]: readonly TaskBody[] = [];
const task = (one: TaskBody | undefined): TaskBody => one!;
const roleIn = (one: TaskBody | undefined): string => roleOf(leaseIdOf(task(one), 'db'));

const startOn = (at: TestDatabase): Promise<TestBroker> =>
  startTestBroker({
    documents: starter.documents,
    environment: {
      ...starter.environment,
      MAYFLY_SEALING_KEY: '0d'.repeat(32),
      MAYFLY_EPOCH_URL: pathToFileURL(join(directory, 'epoch.json')).href,
    },
    beside: { database: at, issuers },
  });
const epoch = async () => JSON.parse(await readFile(join(directory, 'epoch.json'), 'utf8')) as JsonObject;
const as = (agent: string, route: string, body?: unknown, at = replicas[0]): Promise<TestAnswer> =>
  at.send(route, { token: at.agentToken(agent), ...(body === undefined ? {} : { body }) });
const person = (role: 'operator' | 'auditor', route: string, body?: unknown, at = replicas[0]): Promise<TestAnswer> =>
  at.send(route, { token: at.personToken(role), ...(body === undefined ? {} : { body }) });
const entriesOf = async (type: string): Promise<readonly JsonObject[]> =>
  (
    await rowsOf<{ body: string }>(
      database.adminUrl,
      'SELECT body FROM audit_entry WHERE type = $1 ORDER BY batch, place',
      [type],
    )
  ).map(({ body }) => JSON.parse(body) as JsonObject);
const works = async (one: TaskBody | undefined): Promise<boolean> =>
  rowsOf(secretOf(task(one), 'db', 'url'), 'SELECT 1').then(
    () => true,
    () => false,
  );
const QUARANTINED = { status: 503, body: { type: 'urn:mayfly:problem:quarantined' } };

/** Hands a part of a task on, and takes it up. */
async function childOf(above: TaskBody, at: TestBroker): Promise<TaskBody> {
  const handed = await as('searcher', `POST /tasks/${above.id}/delegate`, { ...READ, agent: 'writer' }, at);
  const taken = await as('writer', `POST /tasks/${handed.body.id as string}/accept`, undefined, at);
  expect([handed.status, taken.status]).toEqual([201, 201]);
  return taskIn(taken);
}

/** Puts the backup in the place of the database, as a restore does: its sessions end, its name stays. */
async function restore(): Promise<void> {
  const { name } = database;
  await rowsOf(root, `ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
  await rowsOf(root, 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [name]);
  await until('the sessions are gone', 10, async () => {
    const [row] = await rowsOf<{ n: number }>(
      root,
      'SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = $1',
      [name],
    );
    return row?.n === 0;
  });
  await rowsOf(root, `ALTER DATABASE ${name} RENAME TO ${name}_lost`);
  await rowsOf(root, `ALTER DATABASE ${backup} RENAME TO ${name}`);
}

beforeAll(async () => {
  starter = await starterWith(...DOCUMENTS);
  directory = await mkdtemp(join(tmpdir(), 'mayfly-epoch-'));
  const postgres = await startTestPostgres();
  root = postgres.server.url('postgres', 'postgres');
  database = await postgres.createDatabase();
  const first = await startOn(database);
  [kept, parent, ending] = await Promise.all([1, 2, 3].map(() => grant(first, first.agentToken('searcher'), READ)));
  await first.stop();
  backup = `${database.name}_backup`;
  await rowsOf(root, `CREATE DATABASE ${backup} TEMPLATE ${database.name} OWNER mayfly_app`);
  replicas = [await startOn(database), await startOn(database)];
  outlived = await grant(replicas[0], replicas[0].agentToken('searcher'), READ);
  child = await childOf(task(parent), replicas[1]);
  const [row] = await rowsOf<{ n: number }>(database.adminUrl, 'SELECT count(*)::int AS n FROM audit_entry');
  await until('the epoch outside follows', 10, async () => Number((await epoch()).sequence) >= (row?.n ?? NaN));
}, 120_000);
afterAll(async () => {
  await giveBack(replicas[0]);
  await Promise.all(replicas.map((one) => one.stop()));
  await database.drop();
  await rowsOf(root, `DROP DATABASE IF EXISTS ${database.name}_lost WITH (FORCE)`);
  await rm(directory, { recursive: true });
});

describe('an older database that is restored under two running replicas', () => {
  it('nothing is issued from the restore on, at any replica', async () => {
    const asking = { isOver: false };
    const answers: { at: number; status: number }[] = [];
    const ask = async (at: TestBroker): Promise<void> => {
      while (!asking.isOver) {
        const sent = performance.now();
        const { status } = await as('searcher', 'POST /tasks', READ, at);
        answers.push({ at: sent, status });
      }
    };
    const asked = replicas.map(ask);
    await until('a grant', 10, () => Promise.resolve(answers.some(({ status }) => status === 201)));
    await restore();
    const restoredAt = performance.now();
    const seen = () => answers.filter(({ at, status }) => at > restoredAt && status === 503).length;
    await until('refusals by both', 20, () => Promise.resolve(seen() > 20));
    asking.isOver = true;
    await Promise.all(asked);
    // A request that passed the gate before the restore can reach the restored database; it then calls no provider.
    const known = [kept, parent, ending].map((one) => task(one).id);
    const late = await rowsOf<{ state: string; leases: string[] }>(
      database.adminUrl,
      `SELECT t.state, array_agg(l.state::text) AS leases FROM task t JOIN lease l ON l.task_id = t.id
       WHERE NOT t.id = ANY ($1) GROUP BY t.id`,
      [known],
    );
    for (const { state, leases } of late) expect([state, ...leases]).toEqual(['failed', 'failed']);
    expect(answers.filter(({ at, status }) => at > restoredAt && status === 201)).toEqual([]);
  }, 60_000);

  it('grant, renewal, delegation and acceptance answer 503 with the code `quarantined`; reads and readiness do not', async () => {
    for (const at of replicas) {
      expect(await as('searcher', 'POST /tasks', READ, at)).toMatchObject(QUARANTINED);
      expect(await as('searcher', `POST /tasks/${task(kept).id}/renew`, {}, at)).toMatchObject(QUARANTINED);
      const part = { ...READ, agent: 'writer' };
      expect(await as('searcher', `POST /tasks/${task(kept).id}/delegate`, part, at)).toMatchObject(QUARANTINED);
      expect(await as('writer', `POST /tasks/${task(child).id}/accept`, undefined, at)).toMatchObject(QUARANTINED);
      expect(await at.send('GET /readyz')).toMatchObject({ status: 200, body: { status: 'quarantined' } });
      expect(await (await fetch(`${at.url}/metrics`)).text()).toContain('mayfly_quarantined 1');
      expect(await as('searcher', `GET /tasks/${task(kept).id}`, undefined, at)).toMatchObject({ status: 200 });
    }
  });

  it('the differences are reported, nothing unknown is ended, and every credential works on', async () => {
    const view = await until('the comparison of the target', 30, async () => {
      const { body } = await person('auditor', 'GET /quarantine', undefined, replicas[1]);
      const links = body.reconciliations as unknown as readonly JsonObject[];
      return links.some(({ connection, state }) => connection === 'crm' && state === 'done') && body;
    });
    expect(view).toMatchObject({ state: 'quarantined', cause: 'older', since: expect.any(String) });
    const [found, expected] = [view.found, view.expected] as unknown as readonly { sequence: number }[];
    expect(expected!.sequence).toBeGreaterThan(found!.sequence);
    const links = view.reconciliations as unknown as readonly JsonObject[];
    const { id } = links.find(({ connection }) => connection === 'crm')!;
    const { body } = await person('operator', `GET /reconciliations/${id as string}`);
    const differences = body.differences as unknown as readonly JsonObject[];
    for (const one of [outlived, child])
      expect(differences).toContainEqual({
        ...{ kind: 'unknown_lease', action: 'reported', object: roleIn(one), leaseId: leaseIdOf(task(one), 'db') },
        detail: expect.stringContaining('quarantine'),
      });
    expect(differences.map(({ object }) => object)).not.toContain(roleIn(kept));
    await replicas[0].broker.services.reconciler.round();
    expect(await entriesOf('orphan.ending')).toEqual([]);
    expect(await Promise.all([kept, parent, ending, outlived, child].map(works))).toEqual(Array(5).fill(true));
  }, 60_000);

  it('a task that the database knows still ends when its agent completes it', async () => {
    expect(await as('searcher', `POST /tasks/${task(ending).id}/complete`)).toMatchObject({ status: 200 });
    await until('the role is gone', 20, async () => !(await leaseRoles(starter.targetUrl)).includes(roleIn(ending)));
  });

  it('a replica that starts now is in quarantine too', async () => {
    const late = await startOn(database);
    try {
      expect(await as('searcher', 'POST /tasks', READ, late)).toMatchObject(QUARANTINED);
    } finally {
      await late.stop();
    }
    expect(await entriesOf('quarantine.entered')).toHaveLength(1);
  });

  it('only an operator confirms, with a reason that the audit keeps', async () => {
    const body = { reason: 'the backup of 03:00 was restored' };
    expect(await person('auditor', 'POST /quarantine/confirm', body)).toMatchObject({ status: 403 });
    expect(await person('operator', 'POST /quarantine/confirm', {})).toMatchObject({ status: 400 });
    const before = await epoch();
    expect(await person('operator', 'POST /quarantine/confirm', body)).toMatchObject({
      status: 200,
      body: { state: 'open' },
    });
    expect(await person('operator', 'POST /quarantine/confirm', body, replicas[1])).toMatchObject({ status: 409 });
    const [confirmed] = await entriesOf('quarantine.confirmed');
    expect(confirmed).toMatchObject({ ...body, replaced: { lineage: before.lineage }, actor: { kind: 'person' } });
    expect((await epoch()).lineage).toBe(confirmed!.lineage);
  });

  it('after the confirmation every replica issues, and what outlived the backup is ended, and nothing else', async () => {
    for (const at of replicas)
      await until('a grant', 10, async () => (await as('searcher', 'POST /tasks', READ, at)).status === 201);
    await until('the unknown roles are gone', 30, async () => {
      const roles = await leaseRoles(starter.targetUrl);
      return ![outlived, child].some((one) => roles.includes(roleIn(one)));
    });
    expect(await Promise.all([kept, parent].map(works))).toEqual([true, true]);
    const wanted = [outlived, child].map((one) => leaseIdOf(task(one), 'db'));
    // The comparison writes what it ended when it is over.
    const ended = await until('the entries of what ended', 30, async () => {
      const found = (await entriesOf('orphan.ended')).map(({ leaseId }) => leaseId);
      return wanted.every((id) => found.includes(id)) && found;
    });
    expect(ended).not.toContain(leaseIdOf(task(kept), 'db'));
    expect(await replicas[1].send('GET /readyz')).toMatchObject({ status: 200, body: { status: 'ready' } });
  }, 60_000);

  it('a replica on the database that was replaced is in quarantine: two databases never both issue', async () => {
    await rowsOf(root, `ALTER DATABASE ${database.name}_lost ALLOW_CONNECTIONS true`);
    const swap = (url: string): string => url.replace(database.name, `${database.name}_lost`);
    const lost = { ...database, url: swap(database.url), adminUrl: swap(database.adminUrl) };
    const elsewhere = await startOn(lost);
    try {
      expect(await as('searcher', 'POST /tasks', READ, elsewhere)).toMatchObject(QUARANTINED);
      expect((await person('operator', 'GET /quarantine', undefined, elsewhere)).body.cause).toBe('other_lineage');
    } finally {
      await elsewhere.stop();
    }
    expect(await as('searcher', 'POST /tasks', READ)).toMatchObject({ status: 201 });
  }, 60_000);
});
