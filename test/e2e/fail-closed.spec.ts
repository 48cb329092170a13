import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { prepareDemoDatabase } from '@mayfly/embedded';
import { addSeconds } from '@mayfly/kernel';
import { FakeIssuer } from '@mayfly/testing';
import pg from 'pg';
import { startTestBroker, type TestAnswer, type TestBroker } from '../support/broker.js';
import { agentDocument, connectionDocument, issuerDocument, templateDocument } from '../support/documents.js';
import { type OwnPostgres, startOwnPostgres } from '../support/own-postgres.js';
import { rowsOf } from '../support/rows.js';
import { READ_CASES, type Starter, starterWith } from '../support/starter.js';
import { leaseRoles } from '../support/target.js';
import { grant, READ_EMEA, statesOf, type TaskBody, taskIn } from '../support/tasks.js';
import { until } from '../support/until.js';

const REQUESTS = 10;
const TOKEN_ONLY = { template: 'token', purpose: 'call an interface' };
let own: OwnPostgres;
let starter: Starter;
beforeAll(async () => {
  own = await startOwnPostgres();
  starter = await starterWith(templateDocument('token'));
});
afterAll(() => own.remove());

const ask = (mayfly: TestBroker, body: unknown = READ_EMEA): Promise<TestAnswer> =>
  mayfly.send('POST /tasks', { token: mayfly.agentToken('support-agent'), body });
/** Half of them with a database role, half with a token only. */
const askMany = (mayfly: TestBroker): Promise<TestAnswer[]> =>
  Promise.all(Array.from({ length: REQUESTS }, (_, n) => ask(mayfly, n % 2 === 0 ? READ_EMEA : TOKEN_ONLY)));
const UNAVAILABLE = { status: 503, body: { type: 'urn:mayfly:problem:unavailable' } };

function expectNoneIssued(answers: readonly TestAnswer[]): void {
  expect(answers).toEqual(answers.map(() => expect.objectContaining({ status: 503 })));
  for (const { body, headers } of answers) {
    expect(body).toMatchObject(UNAVAILABLE.body);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect(JSON.stringify(body)).not.toContain('secret');
  }
}

/** An answer counts for a second. */
const untilReadiness = (mayfly: TestBroker, status: number, reason?: string): Promise<TestAnswer> =>
  until(`readiness is ${String(status)}`, 15, async () => {
    const answer = await mayfly.send('GET /readyz');
    return answer.status === status && answer.body.reason === reason && answer;
  });

describe("Mayfly's own PostgreSQL", () => {
  let mayfly: TestBroker;
  let before: readonly string[];
  beforeAll(async () => {
    const { server } = own;
    const urls = { DATABASE_URL: server.url('mayfly'), MAYFLY_MIGRATION_URL: server.url('mayfly', 'postgres') };
    mayfly = await startTestBroker({
      documents: starter.documents,
      environment: { ...starter.environment, ...urls, MAYFLY_QUEUE: 'on' },
    });
    await ask(mayfly);
    before = await leaseRoles(starter.targetUrl);
  });
  let thaw = (): void => undefined;
  afterEach(() => {
    thaw();
  });
  afterAll(() => mayfly.stop());

  it('a service with declarations that are too old is not ready and lets nobody in', async () => {
    const [{ clock }, url] = [mayfly.broker.services, own.server.url('mayfly', 'postgres')];
    const now = clock.now.bind(clock);
    await rowsOf(url, 'REVOKE SELECT ON issuer, declared_revision FROM mayfly_app');
    clock.now = () => addSeconds(now(), 31);
    expectNoneIssued([await ask(mayfly)]);
    await untilReadiness(mayfly, 503, 'declarations-unread');
    await rowsOf(url, 'GRANT SELECT ON issuer, declared_revision TO mayfly_app');
    await untilReadiness(mayfly, 200);
    clock.now = now;
  });

  it('a service with a stopped database issues nothing, and continues when it is started', async () => {
    await own.stop();
    expectNoneIssued(await askMany(mayfly));
    await untilReadiness(mayfly, 503, 'unreachable');
    expect(await mayfly.send('GET /healthz')).toMatchObject({ status: 200 });
    expect(await leaseRoles(starter.targetUrl)).toEqual(before);
    await own.start();
    await until('it goes on', 15, async () => (await ask(mayfly)).status === 201);
    await untilReadiness(mayfly, 200);
    const [{ count } = { count: NaN }] = await rowsOf<{ count: number }>(
      own.server.url('mayfly', 'postgres'),
      'SELECT count(*)::int FROM task',
    );
    expect(count).toBe(2);
  });

  it('a service whose database has a full lock table issues nothing and is not ready', async () => {
    const hog = new pg.Client({ connectionString: own.server.url('mayfly', 'postgres') });
    await hog.connect();
    await untilReadiness(mayfly, 200);
    const fill = () => hog.query('SELECT count(pg_advisory_lock(n)) FROM generate_series(1, 1000000) AS n');
    await expect(fill()).rejects.toMatchObject({ code: '53200' });
    await untilReadiness(mayfly, 503, 'lock-table-full');
    // Takes the places of the transactions that were under way when the table filled up.
    await expect(fill()).rejects.toMatchObject({ code: '53200' });
    expectNoneIssued([await ask(mayfly, TOKEN_ONLY)]);
    await hog.end();
    await untilReadiness(mayfly, 200);
    expect(await ask(mayfly, TOKEN_ONLY)).toMatchObject({ status: 201 });
  });

  it('a service hears of declaration changes again after an outage of its database', async () => {
    const token = mayfly.personToken('platform');
    const suspend = `UPDATE agent SET state = 'suspended' WHERE name = 'research-agent'`;
    await rowsOf(own.server.url('mayfly', 'postgres'), suspend);
    await until('the change is known', 15, async () => {
      const { body } = await mayfly.send('GET /me', { token: mayfly.agentToken('research-agent') });
      return body.control === 'agent-lifecycle';
    });
    expect(await mayfly.send('GET /agents', { token })).toMatchObject({ status: 200 });
  });

  it('a service with a frozen database issues nothing and answers every request', async () => {
    const roles = await leaseRoles(starter.targetUrl);
    thaw = await own.freeze();
    const asked = performance.now();
    const [answers] = await Promise.all([askMany(mayfly), untilReadiness(mayfly, 503, 'unreachable')]);
    console.log(`frozen database: answered after ${(performance.now() - asked).toFixed(0)} ms`);
    thaw();
    expectNoneIssued(answers);
    expect(await leaseRoles(starter.targetUrl)).toEqual(roles);
    await until('it goes on', 15, async () => (await ask(mayfly, TOKEN_ONLY)).status === 201);
  }, 120_000);
});

describe('an audit that takes no entry', () => {
  let mayfly: TestBroker;
  const sql = (statement: string) => rowsOf(mayfly.database.adminUrl, statement);
  beforeAll(async () => {
    mayfly = await startTestBroker(starter);
    await sql(`CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no space left'; END $$`);
  });
  afterEach(() => sql('DROP TRIGGER IF EXISTS failing ON audit_entry'));
  afterAll(() => mayfly.stop());

  it('a failing audit means that nothing is issued and nothing is made at the target', async () => {
    const roles = await leaseRoles(starter.targetUrl);
    await sql('CREATE TRIGGER failing BEFORE INSERT ON audit_entry FOR EACH ROW EXECUTE FUNCTION fail()');
    expectNoneIssued(await askMany(mayfly));
    expect(await leaseRoles(starter.targetUrl)).toEqual(roles);
    expect(await sql('SELECT id FROM task')).toEqual([]);
    expect(await sql('SELECT sum(active)::int AS active FROM quota_counter')).toEqual([{ active: null }]);
    const { body } = await untilReadiness(mayfly, 503, 'write-refused');
    expect(JSON.stringify(body)).not.toContain('no space left');
    await sql('DROP TRIGGER failing ON audit_entry');
    await untilReadiness(mayfly, 200);
  });

  it('an audit that fails after the mint means that the minted credential is revoked, unseen', async () => {
    const roles = await leaseRoles(starter.targetUrl);
    await sql(`CREATE TRIGGER failing BEFORE INSERT ON audit_entry FOR EACH ROW
               WHEN (NEW.type = 'lease.issued') EXECUTE FUNCTION fail()`);
    expectNoneIssued([await ask(mayfly)]);
    await until('it is taken back', 40, async () => {
      const [task] = await rowsOf<{ state: string }>(mayfly.database.adminUrl, 'SELECT state FROM task');
      return task?.state === 'failed';
    });
    expect(await leaseRoles(starter.targetUrl)).toEqual(roles);
    await sql('DROP TRIGGER failing ON audit_entry');
    expect(await ask(mayfly)).toMatchObject({ status: 201 });
  });
});

describe('an issuer that is down', () => {
  const STALE_SECONDS = 60;
  const remote = new FakeIssuer({ clock: { now: () => new Date() }, issuer: 'https://remote.example' });
  let mayfly: TestBroker;
  let keys: Server;
  let port: number;

  const openKeys = (at: number): Promise<Server> =>
    new Promise((resolve) => {
      const server = createServer((_, response) => {
        response.setHeader('content-type', 'application/json').end(JSON.stringify(remote.jwks()));
      });
      server.listen(at, '127.0.0.1', () => {
        resolve(server);
      });
    });
  const closeKeys = (): Promise<void> =>
    new Promise((resolve) => {
      keys.close(() => {
        resolve();
      });
      keys.closeAllConnections();
    });
  /** A proof that is good from now until after all that this test waits for. */
  const token = () => remote.sign({ sub: 'far-agent', exp: Math.floor(Date.now() / 1000) + 3000 });
  const askFar = () => mayfly.send('POST /tasks', { token: token(), body: TOKEN_ONLY });
  const whoAmI = async () => (await mayfly.send('GET /me', { token: token() })).status;
  /** Moves the service's clock; its declared state is read again at the new time, as its loop would have. */
  const seconds = async (after: number): Promise<void> => {
    const { clock, catalog } = mayfly.broker.services;
    const now = clock.now.bind(clock);
    jest.spyOn(clock, 'now').mockImplementation(() => new Date(now().getTime() + after * 1000));
    await catalog.refresh();
  };

  beforeAll(async () => {
    keys = await openKeys(0);
    ({ port } = keys.address() as AddressInfo);
    const identities = [{ issuer: 'remote', subject: 'far-agent', runtime: 'developer-laptop' }];
    const { documents, environment } = await starterWith(
      issuerDocument('remote', {
        issuer: remote.issuer,
        keys: { jwksUri: `http://127.0.0.1:${String(port)}/keys` },
        staleKeysSeconds: STALE_SECONDS,
      }),
      agentDocument('far-agent', { identities }),
      templateDocument('token'),
    );
    mayfly = await startTestBroker({ documents, environment });
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });
  afterAll(async () => {
    await mayfly.stop();
    await closeKeys();
  });

  it('an issuer that is down is trusted by its last keys up to the bound, and then not until it is back', async () => {
    expect(await askFar()).toMatchObject({ status: 201 });
    await closeKeys();
    expect(await askFar()).toMatchObject({ status: 201 });
    await seconds(600 + STALE_SECONDS - 10);
    expect(await whoAmI()).toBe(200);
    jest.restoreAllMocks();
    await seconds(600 + STALE_SECONDS + 10);
    expect(await whoAmI()).toBe(503);
    expect(await askFar()).toMatchObject(UNAVAILABLE);
    expect(await rowsOf(mayfly.database.adminUrl, 'SELECT id FROM task')).toHaveLength(2);
    keys = await openKeys(port);
    jest.restoreAllMocks();
    await seconds(600 + STALE_SECONDS + 60);
    expect(await whoAmI()).toBe(200);
  });
});

describe('a target that is down', () => {
  let mayfly: TestBroker;
  let ownTarget: string;
  const statusOf = async ({ id }: { readonly id: string }): Promise<TaskBody> =>
    taskIn(await mayfly.send(`GET /tasks/${id}`, { token: mayfly.personToken('operator') }));

  beforeAll(async () => {
    const [db] = READ_CASES;
    const { documents, environment } = await starterWith(
      connectionDocument('elsewhere', { config: { url: 'env:ELSEWHERE_DATABASE_URL' } }),
      templateDocument('read-elsewhere', { credentials: [{ ...db, connection: 'elsewhere' }] }),
      templateDocument('token'),
    );
    ownTarget = own.server.url('crm', 'postgres');
    const urls = { CRM_DATABASE_URL: await prepareDemoDatabase(own.server) };
    mayfly = await startTestBroker({
      documents,
      environment: { ...urls, ELSEWHERE_DATABASE_URL: environment.CRM_DATABASE_URL },
    });
  });
  afterAll(() => mayfly.stop());

  it('a target that is down is reported as such, delays no other request, and is cleaned up when it is back', async () => {
    const token = mayfly.agentToken('support-agent');
    const running = await grant(mayfly, token);
    await own.stop();

    const completed = await mayfly.send(`POST /tasks/${running.id}/complete`, { token });
    expect(completed).toMatchObject({ status: 200, body: { state: 'active', endCause: 'completed' } });
    expect(statesOf(taskIn(completed))).toEqual({ db: 'revoking', api: 'revoked' });

    const refused = await ask(mayfly);
    // what could not be ended is not begun
    expect(refused).toMatchObject({
      status: 503,
      body: { type: 'urn:mayfly:problem:provider_unavailable', reason: 'revocation-failing' },
    });
    expect(refused.body).not.toHaveProperty('taskId');

    for (const body of [{ template: 'read-elsewhere', purpose: 'go on elsewhere' }, TOKEN_ONLY]) {
      const other = await grant(mayfly, token, body);
      const answer = await mayfly.send(`POST /tasks/${other.id}/complete`, { token });
      expect(answer).toMatchObject({ status: 200, body: { state: 'completed' } });
    }
    expect(statesOf(await statusOf(running))).toMatchObject({ db: 'revoking' });

    await own.start();
    await until('the task is closed', 60, async () => (await statusOf(running)).state === 'completed');
    expect(await leaseRoles(ownTarget)).toEqual([]);
    const isGranted = async (): Promise<boolean> => (await ask(mayfly)).status === 201;
    await until('a task is granted again', 20, isGranted);
  }, 120_000);
});
