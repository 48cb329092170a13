import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { prepareDemoDatabase } from '@mayfly/embedded';
import { decodeJwt } from 'jose';
import pg from 'pg';
import { FakeAwsTarget } from '../contract/aws-fake-target.js';
import { awsConnection, awsEnvironment, EXPORT_REQUEST, exportTemplate } from '../support/aws-documents.js';
import { startTestBroker, type TestBroker } from '../support/broker.js';
import {
  agentDocument,
  connectionDocument,
  databaseCredential,
  templateDocument,
  yamlOf,
} from '../support/declared.js';
import { startOwnPostgres, type OwnPostgres } from '../support/own-postgres.js';
import { rowsOf } from '../support/rows.js';
import { grant, secretOf, type TaskBody } from '../support/tasks.js';
import { until } from '../support/until.js';

const AGENTS = ['first-agent', 'second-agent', 'third-agent'];
const TASKS_OF_EACH = 4;
const CALLS_OF_EACH = 25;

/** The setting of docs/connect-postgres.md. */
const PREFIX = /log_line_prefix = '([^']+)'/.exec(
  readFileSync(new URL('../../docs/connect-postgres.md', import.meta.url), 'utf8'),
)?.[1];

/** Asks the broker for the task behind the name that a log shows. */
async function taskBehind(mayfly: TestBroker, seenAs: string): Promise<string | undefined> {
  const route = `GET /issuances?seenAs=${encodeURIComponent(seenAs)}`;
  const { status, body } = await mayfly.send(route, { token: mayfly.personToken('auditor') });
  expect(status).toBe(200);
  const items = body.items as unknown as readonly { readonly taskId: string }[];
  expect(items).toHaveLength(1);
  return items[0]?.taskId;
}

async function tasksOf(mayfly: TestBroker, request: object): Promise<readonly TaskBody[]> {
  const orders = AGENTS.flatMap((agent) => Array.from({ length: TASKS_OF_EACH }, () => agent));
  return Promise.all(orders.map((agent) => grant(mayfly, mayfly.agentToken(agent), request)));
}

describe('the log of a database', () => {
  let server: OwnPostgres;
  let mayfly: TestBroker;
  let log: string;
  beforeAll(async () => {
    server = await startOwnPostgres();
    const root = server.server.url('postgres', 'postgres');
    const [place] = await rowsOf<{ path: string }>(root, `SELECT current_setting('data_directory') AS path`);
    log = join(place!.path, 'log');
    const settings = {
      logging_collector: 'on',
      log_statement: 'all',
      log_filename: 'calls.log',
      log_line_prefix: PREFIX,
    };
    for (const [name, value] of Object.entries(settings)) {
      await rowsOf(root, `ALTER SYSTEM SET ${name} = '${String(value)}'`);
    }
    await server.stop();
    await server.start();
    const documents = yamlOf(
      ...AGENTS.map((name) => agentDocument(name)),
      connectionDocument('crm'),
      templateDocument('read-cases', { credentials: [databaseCredential('crm')] }),
    );
    const environment = { CRM_DATABASE_URL: await prepareDemoDatabase(server.server) };
    mayfly = await startTestBroker({ documents, environment });
  }, 120_000);
  afterAll(async () => {
    await mayfly.stop();
    await server.remove();
  });

  it('the log of a database names the task of every call, whatever the client calls itself', async () => {
    const tasks = await tasksOf(mayfly, { template: 'read-cases', parameters: {}, purpose: 'read' });
    const names = tasks.map((task) => secretOf(task, 'db', 'username'));
    const expected = new Map<string, string>();
    await Promise.all(
      tasks.map(async (task, index) => {
        const client = new pg.Client({
          connectionString: secretOf(task, 'db', 'url'),
          // a client may call itself as it likes, also by the name of another lease
          application_name: index % 2 === 0 ? names.at(index - 1)! : 'psql',
        });
        await client.connect();
        for (let call = 0; call < CALLS_OF_EACH; call += 1) {
          const mark = `call-${String(index)}-${String(call)}`;
          if (call === 5) await client.query(`SET application_name = '${names.at(index - 2)!}'`);
          await client.query(`SELECT count(*) FROM emea.cases /* ${mark} */`);
          expected.set(mark, task.id);
        }
        await client.end();
      }),
    );
    const file = () =>
      readdirSync(log)
        .map((name) => readFileSync(join(log, name), 'utf8'))
        .join('\n');
    const lines = () =>
      file()
        .split('\n')
        .filter((line) => line.includes('/* call-'));
    await until('the log has every call', 10, () => Promise.resolve(lines().length === expected.size));
    const found = new Map<string, string | undefined>();
    const byRole = new Map<string, string | undefined>();
    for (const line of lines()) {
      const { role, mark } = /user=(?<role>\S+) .*\/\* (?<mark>call-[\d-]+) \*\//.exec(line)!.groups!;
      if (!byRole.has(role!)) byRole.set(role!, await taskBehind(mayfly, role!));
      found.set(mark!, byRole.get(role!));
    }
    expect(expected.size).toBe(AGENTS.length * TASKS_OF_EACH * CALLS_OF_EACH);
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(expected));
  });

  it('a name that is none of Mayfly answers 400, and one that Mayfly never gave finds nothing', async () => {
    const token = mayfly.personToken('auditor');
    expect(await mayfly.send('GET /issuances?seenAs=postgres', { token })).toMatchObject({ status: 400 });
    const never = await mayfly.send(`GET /issuances?seenAs=mayfly_${'0'.repeat(26)}`, { token });
    expect(never.body.items).toEqual([]);
  });
});

describe('the trail of an AWS account, and signed tokens', () => {
  let scene: FakeAwsTarget;
  let mayfly: TestBroker;
  beforeAll(async () => {
    scene = await FakeAwsTarget.open();
    const { target, role } = scene;
    const token = {
      name: 'api',
      provider: 'signed-token',
      scope: { audience: 'https://cases.example', operations: ['read'] },
    };
    const template = exportTemplate(target, role);
    const { credentials } = template.spec as { readonly credentials: readonly [] };
    const both = exportTemplate(target, role, { credentials: [...credentials, token] });
    const documents = yamlOf(...AGENTS.map((name) => agentDocument(name)), awsConnection(target), both);
    mayfly = await startTestBroker({ documents, environment: awsEnvironment(target) });
  });
  afterAll(async () => {
    await mayfly.stop();
    await scene.close();
  });

  it('the trail names the task of every call by the session and by the source identity, and a token names it by its `jti`', async () => {
    const { fake, target } = scene;
    const tasks = await tasksOf(mayfly, EXPORT_REQUEST);
    fake.trail.length = 0;
    const calls = 10;
    for (const { credentials } of tasks) {
      const read = target.readerOf(credentials.find(({ name }) => name === 'bucket')!.secret!);
      for (let call = 0; call < calls; call += 1) expect(await read()).toBe(true);
    }
    expect(fake.trail).toHaveLength(tasks.length * calls);
    const behind = new Map<string, string | undefined>();
    for (const { arn } of fake.trail) if (!behind.has(arn)) behind.set(arn, await taskBehind(mayfly, arn));
    const expected = tasks.flatMap(({ id }) => Array<string>(calls).fill(id));
    expect(fake.trail.map(({ arn }) => behind.get(arn))).toEqual(expected);
    expect(fake.trail.map(({ sourceIdentity }) => sourceIdentity)).toEqual(expected);

    for (const task of tasks) {
      const { jti } = decodeJwt(secretOf(task, 'api', 'token'));
      expect(await taskBehind(mayfly, jti!)).toBe(task.id);
    }
  });
});
