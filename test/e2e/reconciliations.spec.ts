import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type JsonObject, newId } from '@mayfly/kernel';
import { startTestPostgres, type TestDatabase } from '@mayfly/testing';
import pg from 'pg';
import { newTestIssuers, startTestBroker, type TestAnswer, type TestBroker } from '../support/broker.js';
import { runCli } from '../support/cli.js';
import { connectionDocument, templateDocument } from '../support/documents.js';
import { giveBack } from '../support/give-back.js';
import { rowsOf } from '../support/rows.js';
import { READ_CASES, type Starter, starterWith } from '../support/starter.js';
import { until } from '../support/until.js';

const STRANGE = `mayfly_${'7'.repeat(26)}`;
const issuers = newTestIssuers();

interface Granted {
  readonly taskId: string;
  readonly leaseId: string;
  readonly role: string;
  readonly url: string;
}

let starter: Starter;
let database: TestDatabase;
let restored: TestDatabase;
let mayfly: TestBroker;
/** in the backup; issued after the backup */
let kept: Granted;
let outlived: Granted;

/** Starts a broker on a database that it does not drop, under the one sealing key. */
const startOn = (at: TestDatabase): Promise<TestBroker> =>
  startTestBroker({
    documents: starter.documents,
    environment: { ...starter.environment, MAYFLY_SEALING_KEY: '0c'.repeat(32) },
    beside: { database: at, issuers },
  });
const atTarget = (statement: string) => rowsOf<JsonObject & object>(starter.targetUrl, statement);

/** Copies the database as a backup does: the copy has what was committed until now. */
async function backUp(): Promise<TestDatabase> {
  const { server } = await startTestPostgres();
  const name = `restored_${randomUUID().replaceAll('-', '')}`;
  const root = server.url('postgres', 'postgres');
  await rowsOf(root, `CREATE DATABASE ${name} TEMPLATE ${database.name} OWNER mayfly_app`);
  const drop = async (): Promise<void> => {
    await rowsOf(root, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  };
  return { name, url: server.url(name), adminUrl: server.url(name, 'postgres'), drop };
}

beforeAll(async () => {
  starter = await starterWith(
    templateDocument('read-database', { credentials: READ_CASES }),
    connectionDocument('broken', { config: { url: 'postgresql://nobody@127.0.0.1:1/none' } }),
  );
  database = await (await startTestPostgres()).createDatabase();
  mayfly = await startOn(database);
  kept = await granted();
  await mayfly.stop();
  restored = await backUp();
  mayfly = await startOn(database);
  outlived = await granted();
  await mayfly.stop();
  // made with the login of the connection, which could therefore end it
  await rowsOf(starter.environment.CRM_DATABASE_URL, `CREATE ROLE ${STRANGE} LOGIN`);
  mayfly = await startOn(restored);
});
afterAll(async () => {
  await giveBack(mayfly);
  await mayfly.stop();
  await atTarget(`DROP ROLE IF EXISTS ${STRANGE}`);
  await Promise.all([database.drop(), restored.drop()]);
});

async function granted(): Promise<Granted> {
  const body = { template: 'read-database', purpose: 'answer a ticket' };
  const answer = await mayfly.send('POST /tasks', { token: mayfly.agentToken('support-agent'), body });
  expect([answer.status, answer.body.detail]).toEqual([201, undefined]);
  const [{ leaseId, secret }] = answer.body.credentials as unknown as [
    { leaseId: string; secret: { username: string; url: string } },
  ];
  return { taskId: answer.body.id as string, leaseId, role: secret.username, url: secret.url };
}

const as = (
  role: 'operator' | 'auditor' | 'platform',
  route: string,
  body?: unknown,
  at = mayfly,
): Promise<TestAnswer> => at.send(route, { token: at.personToken(role), ...(body === undefined ? {} : { body }) });
const request = (connection = 'crm', at = mayfly) => as('operator', 'POST /reconciliations', { connection }, at);

/** Waits for the end of a reconciliation, and returns it. */
async function finished(id: unknown): Promise<JsonObject> {
  return until('the reconciliation ends', 30, async () => {
    const { body } = await as('auditor', `GET /reconciliations/${String(id)}`);
    return body.state === 'running' ? undefined : body;
  });
}
const differencesOf = ({ differences }: JsonObject) => differences as unknown as readonly JsonObject[];
const reconciled = async (): Promise<readonly JsonObject[]> => {
  const answer = await request();
  expect(answer).toMatchObject({ status: 202, body: { connection: 'crm', state: 'running', differences: [] } });
  const done = await finished(answer.body.id);
  expect(done).toMatchObject({ state: 'done', leftOut: 0, actor: { kind: 'person', subject: 'one-operator' } });
  return differencesOf(done);
};
const about = (differences: readonly JsonObject[], { role, leaseId }: Pick<Granted, 'role' | 'leaseId'>) =>
  differences.filter((difference) => difference.object === role || difference.leaseId === leaseId);
const rolesNamed = async (role: string) => (await atTarget(`SELECT FROM pg_roles WHERE rolname = '${role}'`)).length;
const entriesOf = async (type: string): Promise<readonly JsonObject[]> => {
  const rows = await rowsOf<{ body: string }>(
    mayfly.database.adminUrl,
    'SELECT body FROM audit_entry WHERE type = $1 ORDER BY batch, place',
    [type],
  );
  return rows.map(({ body }) => JSON.parse(body) as JsonObject);
};

describe('a reconciliation after a backup was restored', () => {
  it('a role that outlived the backup is found and ended, with its sessions; nothing else is touched', async () => {
    const session = new pg.Client({ connectionString: outlived.url });
    const ended = new Promise((resolve) => session.on('error', resolve));
    await session.connect();
    const dropped = await granted();
    await atTarget(`DROP ROLE ${dropped.role}`);

    const differences = await reconciled();
    expect(about(differences, outlived)).toEqual([
      { kind: 'unknown_lease', action: 'ended', object: outlived.role, leaseId: outlived.leaseId },
    ]);
    expect(await ended).toBeInstanceOf(Error);
    expect(await rolesNamed(outlived.role)).toBe(0);
    expect(differences).toContainEqual(
      expect.objectContaining({ kind: 'unmarked', action: 'reported', object: STRANGE }),
    );
    expect(await rolesNamed(STRANGE)).toBe(1);
    expect(about(differences, kept)).toEqual([]);
    expect(await rowsOf(kept.url, 'SELECT count(*)::int AS cases FROM emea.cases')).toHaveLength(1);
    expect(about(differences, dropped)).toMatchObject([
      { kind: 'missing', action: 'reported', leaseId: dropped.leaseId },
    ]);
    const { body } = await as('operator', `GET /tasks/${dropped.taskId}`);
    expect(body).toMatchObject({ state: 'active' });
  });

  it('the audit has the request, the end with its cause, what was reported, and the result', async () => {
    const [{ reconciliation: id }] = (await entriesOf('reconciliation.requested')) as [JsonObject];
    const orphan = { connection: 'crm', object: outlived.role, cause: 'unknown_lease', leaseId: outlived.leaseId };
    expect(await entriesOf('orphan.ending')).toMatchObject([orphan]);
    expect(await entriesOf('orphan.ended')).toMatchObject([{ ...orphan, actor: { kind: 'mayfly' } }]);
    const [reported] = await entriesOf('target.orphaned');
    expect(reported).toMatchObject({ connection: 'crm', names: expect.arrayContaining([STRANGE]) });
    expect(await entriesOf('reconciliation.finished')).toMatchObject([
      { reconciliation: id, connection: 'crm', state: 'done', ended: 1, notEnded: 0 },
    ]);
  });

  it('a scheduled comparison records a new difference once, and a second one of the same records nothing', async () => {
    const { reconciler } = mayfly.broker.services;
    const count = async () =>
      ((await as('auditor', 'GET /reconciliations?connection=crm')).body.items as unknown as unknown[]).length;
    const before = await count();
    await reconciler.round();
    expect(await count()).toBe(before);
    await atTarget(`CREATE ROLE ${STRANGE.replaceAll('7', '6')} LOGIN`);
    await reconciler.round();
    await reconciler.round();
    await atTarget(`DROP ROLE ${STRANGE.replaceAll('7', '6')}`);
    expect(await count()).toBe(before + 1);
    expect(reconciler.counts().get('crm')).toBeGreaterThanOrEqual(1);
  });

  it('no lease that is issued while comparisons run is ended or reported', async () => {
    const { reconciler } = mayfly.broker.services;
    const before = await entriesOf('orphan.ending');
    const issuing = { isOver: false };
    const comparing = (async () => {
      while (!issuing.isOver) await reconciler.round();
    })();
    const leases: Granted[] = [];
    try {
      for (let wave = 0; wave < 6; wave++) leases.push(...(await Promise.all(Array.from({ length: 4 }, granted))));
    } finally {
      issuing.isOver = true;
      await comparing;
    }
    const differences = await reconciled();
    for (const lease of leases) {
      expect(about(differences, lease)).toEqual([]);
      expect(await rowsOf(lease.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    }
    expect(await entriesOf('orphan.ending')).toEqual(before);
  });

  it('a role whose revocation was proven and that was put back is not ended: its mark is gone', async () => {
    const { taskId, role, leaseId } = await granted();
    expect((await as('operator', `DELETE /tasks/${taskId}`, { reason: 'test' })).status).toBeLessThan(300);
    await until('the role is dropped', 10, async () => (await rolesNamed(role)) === 0);
    await atTarget(`CREATE ROLE ${role} LOGIN`);
    await rowsOf(mayfly.database.adminUrl, 'SELECT pg_sleep(0.01)');
    expect(about(await reconciled(), { role, leaseId })).toMatchObject([
      { kind: 'unmarked', action: 'reported', object: role, leaseId },
    ]);
    await atTarget(`DROP ROLE ${role}`);
  });
});

describe('POST /reconciliations', () => {
  it('two requests at two replicas get one reconciliation', async () => {
    const replica = await startOn(restored);
    try {
      const [first, second] = await Promise.all([request(), request('crm', replica)]);
      expect([first.status, second.status, second.body.id]).toEqual([202, 202, first.body.id]);
      expect(await finished(first.body.id)).toMatchObject({ state: 'done' });
    } finally {
      await replica.stop();
    }
  });

  it('a reconciliation of a target that does not answer fails with the reason', async () => {
    const { body } = await request('broken');
    const failed = await finished(body.id);
    expect(failed).toMatchObject({ state: 'failed', differences: [], error: expect.stringMatching(/\w/) });
  });

  it('an unknown connection answers 404', async () => {
    expect(await request('nowhere')).toMatchObject({ status: 404, body: { type: 'urn:mayfly:problem:not_found' } });
  });

  it('a connection whose provider cannot list its objects answers 400 and names the providers that can', async () => {
    expect(await request('cases-api')).toMatchObject({
      status: 400,
      body: {
        type: 'urn:mayfly:problem:invalid_request',
        detail: expect.stringMatching(/`signed-token` cannot list its objects; name a connection of .*`postgres`/),
        errors: [{ pointer: '/connection' }],
      },
    });
  });

  it('a disabled connection answers 409', async () => {
    await as('operator', 'POST /connections/broken/disable');
    expect(await request('broken')).toMatchObject({
      status: 409,
      body: {
        type: 'urn:mayfly:problem:conflict',
        detail: 'connection `broken` is disabled; enable it, then ask again',
      },
    });
  });

  it.each([{}, { connection: '' }, { connection: 'crm', force: true }, { connection: 7 }])(
    'the body %j answers 400',
    async (body) => {
      expect((await as('operator', 'POST /reconciliations', body)).status).toBe(400);
    },
  );
});

describe('GET /reconciliations', () => {
  it('the list has the newest first, by connection, page by page', async () => {
    const { body } = await as('auditor', 'GET /reconciliations?connection=crm&limit=1');
    const [newest] = body.items as unknown as [JsonObject];
    const rest = await as('operator', `GET /reconciliations?connection=crm&cursor=${body.nextCursor as string}`);
    const ids = (rest.body.items as unknown as JsonObject[]).map(({ id }) => id as string);
    expect(ids.length).toBeGreaterThan(1);
    expect([newest.id, ...ids]).toEqual([newest.id, ...ids].toSorted().toReversed());
  });

  it.each([
    [`/${newId('rcn')}`, 404],
    ['/rcn_1', 400],
    ['?limit=0', 400],
    ['?cursor=x', 400],
  ])('GET /reconciliations%s answers %i', async (rest, status) => {
    expect((await as('auditor', `GET /reconciliations${rest}`)).status).toBe(status);
  });
});

describe('mayfly reconcile', () => {
  const cli = (...args: readonly string[]) =>
    runCli({ MAYFLY_URL: mayfly.url, MAYFLY_TOKEN: mayfly.personToken('operator') }, 'reconcile', ...args);

  it('mayfly reconcile asks, and with --wait exits with 1 while a difference is left', async () => {
    const asked = await cli('crm');
    expect(asked).toMatchObject({ code: 0, stderr: '' });
    const { id } = JSON.parse(asked.stdout) as { id: string };
    await finished(id);
    const waited = await cli('crm', '--wait');
    expect(waited).toMatchObject({ code: 1, stderr: '' });
    expect(JSON.parse(waited.stdout)).toMatchObject({ state: 'done', connection: 'crm' });
    expect(waited.stdout).toContain(STRANGE);
    expect(await cli('nowhere')).toMatchObject({ code: 3, stderr: expect.stringContaining('`nowhere`') });
  });
});
