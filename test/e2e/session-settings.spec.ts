import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { prepareDemoDatabase } from '@mayfly/embedded';
import { newTestIssuers, starterFiles, startTestBroker, type TestCall } from '../support/broker.js';
import { type BrokerProcess, type EmbeddedScene, openEmbeddedScene } from '../support/broker-process.js';
import { templateDocument, yamlOf } from '../support/documents.js';
import { type OwnPostgres, startOwnPostgres } from '../support/own-postgres.js';
import { rowsOf } from '../support/rows.js';
import { READ_CASES } from '../support/starter.js';
import { leaseRoles, roleOf } from '../support/target.js';
import { type Door, grant, leaseIdOf, READ_EMEA, secretOf, type TaskBody, taskIn } from '../support/tasks.js';
import { until } from '../support/until.js';

/** Any of these breaks the story somewhere, at the store or at the target. */
const HOSTILE = {
  timezone: 'America/New_York',
  datestyle: 'German',
  intervalstyle: 'sql_standard',
  bytea_output: 'escape',
  standard_conforming_strings: 'off',
  quote_all_identifiers: 'on',
  transform_null_equals: 'on',
  search_path: 'elsewhere',
  default_transaction_read_only: 'on',
  default_transaction_isolation: 'serializable',
  lock_timeout: '1ms',
  idle_session_timeout: '150ms',
  idle_in_transaction_session_timeout: '1ms',
  // reaches a session until its first statement, on which a busy machine may spend a while
  transaction_timeout: '20s',
  password_encryption: 'md5',
  createrole_self_grant: 'set, inherit',
};

const WATCHED = templateDocument('watched', {
  lifetime: { defaultSeconds: 300, maxSeconds: 900 },
  heartbeat: { timeoutSeconds: 30 },
  credentials: READ_CASES,
});

const PATIENCE_SECONDS = 15;
/** More than the scene itself waits for a start, which may have to compile the service first. */
const START_TIMEOUT = 180_000;

interface Stage extends Door {
  readonly token: string;
  /** superusers' URLs of the store and of the target */
  readonly storeUrl: string;
  readonly targetUrl: string;
}

/** Until when the target itself lets the role log in, in milliseconds; null where there is no such role. */
async function loginEnds({ targetUrl }: Stage, role: string): Promise<number | undefined> {
  const text = `SELECT extract(epoch FROM rolvaliduntil)::float8 * 1000 AS ms FROM pg_roles WHERE rolname = $1`;
  return (await rowsOf<{ ms: number }>(targetUrl, text, [role]))[0]?.ms;
}

async function look(stage: Stage, { id }: TaskBody): Promise<TaskBody> {
  return taskIn(await stage.send(`GET /tasks/${id}`, { token: stage.token }));
}

async function step(stage: Stage, { id }: TaskBody, name: string, body?: unknown): Promise<TaskBody> {
  const answer = await stage.send(`POST /tasks/${id}/${name}`, { token: stage.token, ...(body ? { body } : {}) });
  expect(answer).toMatchObject({ status: 200 });
  return taskIn(answer);
}

/** Grant, heartbeat, renewal, expiry, completion and sealing, each with the instants that it has to have. */
async function playStory(stage: Stage): Promise<void> {
  const asked = Date.now();
  const watched = await grant(stage, stage.token, { template: 'watched', purpose: 'work on', ttlSeconds: 300 });
  const short = await grant(stage, stage.token, { ...READ_EMEA, ttlSeconds: 3 });
  const role = roleOf(leaseIdOf(watched, 'db'));
  expect(Math.abs(Date.parse(watched.createdAt) - asked)).toBeLessThan(60_000);
  expect(await loginEnds(stage, role)).toBe(Date.parse(watched.expiresAt));
  expect(await rowsOf(secretOf(watched, 'db', 'url'), 'SELECT * FROM emea.cases')).not.toEqual([]);

  await step(stage, watched, 'heartbeat');
  const renewed = await step(stage, watched, 'renew', { ttlSeconds: 600 });
  expect(Date.parse(renewed.expiresAt)).toBeGreaterThan(Date.parse(watched.expiresAt));
  const furthest = await step(stage, watched, 'renew', { ttlSeconds: 900 });
  expect(furthest.expiresAt).toBe(watched.maxExpiresAt);
  expect(await loginEnds(stage, role)).toBe(Date.parse(watched.maxExpiresAt));

  const expired = await until('the task expires', PATIENCE_SECONDS, async () => {
    const seen = await look(stage, short);
    return seen.state !== 'active' && seen;
  });
  expect(expired).toMatchObject({ state: 'expired', endCause: 'expired' });
  expect(await look(stage, watched)).toMatchObject({ state: 'active' });
  expect(await step(stage, watched, 'complete')).toMatchObject({ state: 'completed' });
  expect(await leaseRoles(stage.targetUrl)).toEqual([]);
  await until('every entry of the audit is sealed', PATIENCE_SECONDS, async () => {
    const [row] = await rowsOf<{ entries: number; open: number }>(
      stage.storeUrl,
      `SELECT count(*)::int AS entries, count(*) FILTER (WHERE s.batch IS NULL)::int AS open
       FROM public.audit_entry e LEFT JOIN public.audit_seal s ON s.batch = e.batch`,
    );
    return row !== undefined && row.entries > 5 && row.open === 0;
  });
  for (const name of await sessionsAt(stage)) expect(name).toMatch(OURS);
}

/** Returns the application names of all sessions at the store and the target. */
async function sessionsAt({ storeUrl }: Stage): Promise<readonly string[]> {
  const rows = await rowsOf<{ name: string }>(
    storeUrl,
    `SELECT DISTINCT application_name AS name FROM pg_stat_activity
     WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}

/** BullMQ names the session that listens after the queue. */
const OURS = /^(mayfly( (catalog|queue|migrations|set-up))?|leases)$/;

describe('settings of the database, the role and the server', () => {
  let postgres: OwnPostgres;
  let crmUrl: string;
  let documents: string;
  /** Runs a statement as the administrator, with the settings that would refuse it switched off. */
  const asAdmin = (statement: string) =>
    rowsOf(
      `${postgres.server.url('postgres', 'postgres')}?options=${encodeURIComponent('-c default_transaction_read_only=off -c transaction_timeout=0 -c lock_timeout=0')}`,
      statement,
    );

  beforeAll(async () => {
    postgres = await startOwnPostgres();
    crmUrl = await prepareDemoDatabase(postgres.server);
    documents = await withWatched();
  });
  afterAll(() => postgres.remove());

  const everything = Object.entries(HOSTILE);
  it.each([
    ['the databases', ['DATABASE mayfly', 'DATABASE crm'], everything],
    ['the roles', ['ROLE mayfly_app', 'ROLE mayfly_crm', 'ROLE postgres'], everything],
    ['the roles, east of UTC', ['ROLE mayfly_app', 'ROLE mayfly_crm'], [['timezone', 'Asia/Kolkata']]],
    ['the server', ['SYSTEM'], everything],
  ])('settings of %s do not change a session', async (_, subjects, settings) => {
    const undo = subjects.map((subject) =>
      subject === 'SYSTEM' ? 'ALTER SYSTEM RESET ALL' : `ALTER ${subject} RESET ALL`,
    );
    const alter = subjects.flatMap((subject) =>
      settings.map(([name, value]) => `ALTER ${subject} SET ${name!} = '${value!}'`),
    );
    try {
      for (const statement of [...alter, 'SELECT pg_reload_conf()']) await asAdmin(statement);
      await onBroker(playStory);
    } finally {
      for (const statement of [...undo, 'SELECT pg_reload_conf()']) await asAdmin(statement);
    }
  });

  async function onBroker(play: (stage: Stage) => Promise<void>): Promise<void> {
    const { server } = postgres;
    const [url, adminUrl] = [server.url('mayfly'), server.url('mayfly', 'postgres')];
    const mayfly = await startTestBroker({
      documents,
      environment: { MAYFLY_QUEUE: 'on', CRM_DATABASE_URL: crmUrl },
      beside: { issuers: newTestIssuers(), database: { name: 'mayfly', url, adminUrl, drop: () => Promise.resolve() } },
    });
    try {
      await play({
        send: (route: string, call?: TestCall) => mayfly.send(route, call),
        // a renewal reaches no further than the identity that asks for it
        token: mayfly.issuers.workloads.sign({ sub: 'support-agent', exp: Math.floor(Date.now() / 1000) + 3500 }),
        storeUrl: adminUrl,
        targetUrl: server.url('crm', 'postgres'),
      });
    } finally {
      await mayfly.stop();
    }
  }
});

describe('the environment of the service', () => {
  let scene: EmbeddedScene;
  let mayfly: BrokerProcess;
  beforeAll(async () => {
    scene = openEmbeddedScene();
    mkdirSync(join(scene.directory, 'config'));
    writeFileSync(join(scene.directory, 'config', 'all.yaml'), await withWatched());
    mayfly = await scene.start({
      MAYFLY_CONFIG_DIR: join(scene.directory, 'config'),
      ...{ PGHOST: '203.0.113.1', PGPORT: '1', PGUSER: 'nobody', PGDATABASE: 'nowhere', PGPASSWORD: 'wrong' },
      ...{ PGSSLMODE: 'require', PGSSLNEGOTIATION: 'direct', PGAPPNAME: 'somebody', PGREPLICATION: 'true' },
      ...{ PGSERVICE: 'somewhere', PGPASSFILE: '/dev/null', PGTZ: 'Asia/Kolkata', PGDATESTYLE: 'German' },
      ...{ PGDATA: '/nowhere', PGCLIENTENCODING: 'LATIN1', PGCLIENT_ENCODING: 'LATIN1' },
      PGOPTIONS: '-c timezone=America/New_York -c default_transaction_read_only=on -c search_path=elsewhere',
      ...{ TZ: 'America/New_York', LC_ALL: 'de_DE.UTF-8', LANG: 'de_DE.UTF-8' },
    });
  }, START_TIMEOUT);
  afterAll(() => scene.close());

  it('the environment of the service decides nothing: PG* variables, locale and zone', async () => {
    const [port, password] = ['port', 'postgres.password'].map((name) =>
      readFileSync(join(scene.dataDir, 'postgres', name), 'utf8').trim(),
    );
    const server = `postgresql://postgres:${password ?? ''}@127.0.0.1:${port ?? ''}`;
    const token = await scene.agentToken('support-agent');
    const send = (route: string, call?: TestCall) => mayfly.send(route, call);
    const stage = { send, token, storeUrl: `${server}/mayfly`, targetUrl: `${server}/crm` };
    await playStory(stage);
  });
});

/** The starter files, and the template whose tasks send heartbeats. */
async function withWatched(): Promise<string> {
  const files = (await starterFiles()).map((file) => readFileSync(join('config', file), 'utf8'));
  return [...files, yamlOf(WATCHED)].join('\n---\n');
}
