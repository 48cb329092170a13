import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type JsonObject, newId } from '@mayfly/kernel';
import { startTestBroker, type TestAnswer, type TestBroker } from '../support/broker.js';
import { runCli } from '../support/cli.js';
import { agentDocument, templateDocument } from '../support/documents.js';
import { postForm } from '../support/form.js';
import { giveBack } from '../support/give-back.js';
import { rowsOf } from '../support/rows.js';
import { starterWith } from '../support/starter.js';
import { openTransaction } from '../support/target.js';
import { grant, secretOf } from '../support/tasks.js';
import { until } from '../support/until.js';

const AUDIENCE = 'https://cases.example';
const api = (...operations: string[]) => ({
  name: 'api',
  provider: 'signed-token',
  scope: { audience: AUDIENCE, operations },
});
const db = (...tables: string[]) => ({
  ...{ name: 'db', provider: 'postgres', connection: 'crm' },
  scope: { grants: [{ schema: 'emea', tables, verbs: ['select'] }] },
});
const delegation = (maxDepth: number, maxChildren: number, ...templates: string[]) => ({
  delegation: { templates, maxDepth, maxChildren },
});
const lifetime = { defaultSeconds: 300, maxSeconds: 600 };

/** searcher → analyst → writer: each template hands the next one on. */
const DOCUMENTS = [
  ...['searcher', 'analyst', 'writer'].map((name) => agentDocument(name)),
  templateDocument('search', {
    ...{ credentials: [api('cases.read', 'notes.write'), db('cases', 'case_notes')], lifetime },
    ...delegation(2, 3, 'analyse', 'write', 'search', 'wide-token', 'wide-table', 'elsewhere', 'deeper'),
  }),
  templateDocument('analyse', {
    credentials: [api('cases.read'), db('cases')],
    ...delegation(5, 3, 'write', 'search'),
  }),
  templateDocument('write', { credentials: [api('cases.read')], ...delegation(5, 3, 'deeper') }),
  templateDocument('deeper'),
  templateDocument('unlisted'),
  templateDocument('lonely'),
  templateDocument('wide-token', { credentials: [api('cases.read', 'cases.delete')] }),
  templateDocument('wide-table', { credentials: [db('cases', 'salaries')] }),
  templateDocument('elsewhere', {
    credentials: [
      {
        name: 'api',
        provider: 'signed-token',
        scope: { audience: 'https://other.example', operations: ['cases.read'] },
      },
    ],
  }),
];

let mayfly: TestBroker;
beforeAll(async () => {
  const { documents, environment } = await starterWith(...DOCUMENTS);
  mayfly = await startTestBroker({ documents, environment });
});
afterAll(async () => {
  await giveBack(mayfly);
  await mayfly.stop();
});

const PURPOSE = 'answer ticket 4711';
const as = (agent: string, route: string, body?: unknown, headers = {}): Promise<TestAnswer> =>
  mayfly.send(route, { token: mayfly.agentToken(agent), headers, ...(body === undefined ? {} : { body }) });
/** The roots of a test, which end with it: their roles would use up the connections of the target. */
const roots: string[] = [];
afterEach(async () => {
  const token = mayfly.personToken('operator');
  for (const id of roots.splice(0)) await mayfly.send(`DELETE /tasks/${id}`, { token });
});
const rootOf = async (agent: string, body: object) => {
  const granted = await grant(mayfly, mayfly.agentToken(agent), { parameters: {}, purpose: PURPOSE, ...body });
  roots.push(granted.id);
  return granted;
};
const root = (agent = 'searcher', template = 'search') => rootOf(agent, { template });
const delegate = (agent: string, parent: string, to: string, template: string, more = {}, headers = {}) =>
  as(
    agent,
    `POST /tasks/${parent}/delegate`,
    { agent: to, template, parameters: {}, purpose: PURPOSE, ...more },
    headers,
  );
const accept = (agent: string, id: unknown, headers = {}) =>
  as(agent, `POST /tasks/${String(id)}/accept`, undefined, headers);
const treeOf = async (id: string) =>
  (await mayfly.send(`GET /tasks/${id}/tree`, { token: mayfly.personToken('auditor') })).body as unknown as {
    rootId: string;
    nodes: { id: string; parentId?: string; state: string; endCause?: string; depth: number }[];
  };
const denied = (control: string) => ({ status: 403, body: { type: 'urn:mayfly:problem:policy_denied', control } });
const credentialsOf = (body: JsonObject) =>
  body.credentials as unknown as { name: string; secret: { token: string; url: string } }[];

async function child(agent: string, parent: string, to: string, template: string): Promise<JsonObject> {
  const handed = await delegate(agent, parent, to, template);
  expect(handed).toMatchObject({ status: 201, body: { state: 'pending_acceptance', parentId: parent } });
  const taken = await accept(to, handed.body.id);
  expect(taken).toMatchObject({ status: 201, body: { id: handed.body.id, state: 'active' } });
  return taken.body;
}

describe('mayfly exec --accept', () => {
  const cli = (agent: string, ...args: readonly string[]) =>
    runCli({ MAYFLY_URL: mayfly.url, MAYFLY_TOKEN: mayfly.agentToken(agent) }, ...args);
  const PRINT_ID = ['--', 'sh', '-c', 'test -n "$MAYFLY_TOKEN_API" && echo $MAYFLY_TASK_ID'];

  it('mayfly exec --accept takes up a task that was handed on, and runs the command under it', async () => {
    const top = await root();
    const { body } = await delegate('searcher', top.id, 'analyst', 'analyse');
    const id = body.id as string;
    expect(await cli('analyst', 'exec', '--accept', id, ...PRINT_ID)).toMatchObject({ code: 0, stdout: `${id}\n` });
    expect(await as('analyst', `GET /tasks/${id}`)).toMatchObject({ status: 200, body: { state: 'completed' } });
    const again = await cli('analyst', 'exec', '--accept', id, ...PRINT_ID);
    expect(again).toMatchObject({ stdout: '', stderr: expect.stringContaining('delegation-pending') });
    expect(again.code).not.toBe(0);
  });

  it('mayfly exec --accept refuses a request beside it, and exec without either says what to give', async () => {
    const both = await cli('analyst', 'exec', '--accept', newId('tsk'), '--template', 'search', '--', 'true');
    expect(both).toMatchObject({ code: 2, stderr: expect.stringContaining('--template') });
    const neither = await cli('analyst', 'exec', '--', 'true');
    expect(neither).toMatchObject({ code: 2, stderr: expect.stringContaining('--accept TASK') });
  });
});

describe('a tree of three tasks', () => {
  it('a tree of three tasks grows by identity, says who acts for whom, and is dead after one call', async () => {
    const top = await root();
    const middle = await child('searcher', top.id, 'analyst', 'analyse');
    const leaf = await child('analyst', middle.id as string, 'writer', 'write');
    expect(leaf).toMatchObject({ parentId: middle.id, rootId: top.id });
    const token = credentialsOf(leaf)[0]!.secret.token;
    const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as JsonObject;
    const agents = await rowsOf<{ name: string; id: string }>(mayfly.database.adminUrl, 'SELECT name, id FROM agent');
    const idOf = (name: string) => agents.find((agent) => agent.name === name)!.id;
    expect(claims).toMatchObject({
      ...{ sub: idOf('searcher'), client_id: idOf('writer') },
      act: { sub: idOf('writer'), act: { sub: idOf('analyst') } },
    });
    const introspect = () => postForm(`${mayfly.url}/oauth/introspect`, mayfly.personToken('operator'), { token });
    expect(JSON.parse((await introspect()).text)).toMatchObject({ active: true, act: { sub: idOf('writer') } });
    const session = await openTransaction(credentialsOf(middle)[1]!.secret.url);
    expect((await treeOf(leaf.id as string)).nodes).toMatchObject([
      { id: top.id, depth: 0, state: 'active' },
      { id: middle.id, parentId: top.id, depth: 1, state: 'active' },
      { id: leaf.id, parentId: middle.id, depth: 2, state: 'active' },
    ]);

    expect(await as('searcher', `POST /tasks/${top.id}/complete`)).toMatchObject({ status: 200 });
    expect(JSON.parse((await introspect()).text)).toEqual({ active: false });
    await session.ended;
    await until('the tree is dead', 20, async () => {
      const { nodes } = await treeOf(top.id);
      return nodes.every(({ state }) => state === 'completed' || state === 'revoked') ? nodes : undefined;
    });
    const { nodes } = await treeOf(top.id);
    expect(nodes.map(({ endCause }) => endCause)).toEqual(['completed', 'parent_ended', 'parent_ended']);
    const endings = await rowsOf(
      mayfly.database.adminUrl,
      `SELECT task_id FROM audit_entry WHERE type = 'task.ending' AND task_id = ANY (ARRAY['${nodes.map(({ id }) => id).join("','")}'])`,
    );
    expect(endings).toHaveLength(3);
  });

  it.each(['revoke', 'suspend', 'lock down'])(
    'a tree of three tasks ends when somebody is to %s its middle',
    async (how) => {
      const top = await root();
      const middle = await child('searcher', top.id, 'analyst', 'analyse');
      const leaf = await child('analyst', middle.id as string, 'writer', 'write');
      const operator = mayfly.personToken('operator', 'ada');
      const call = (route: string, body?: unknown, token = operator) => mayfly.send(route, { token, body });
      if (how === 'revoke') await call(`DELETE /tasks/${middle.id as string}`);
      if (how === 'suspend') await call('POST /agents/analyst/suspend');
      const lockdown =
        how === 'lock down'
          ? await call('POST /lockdowns', { scope: { kind: 'agent', name: 'analyst' }, reason: 'test' })
          : undefined;
      const ended = await until('the lower tasks have ended', 20, async () => {
        const { nodes } = await treeOf(top.id);
        return nodes.slice(1).every(({ state }) => state === 'revoked') ? nodes : undefined;
      });
      expect(ended).toMatchObject([{ state: 'active' }, { id: middle.id }, { id: leaf.id, endCause: 'parent_ended' }]);
      if (how === 'suspend') await call('POST /agents/analyst/activate');
      if (lockdown !== undefined) {
        for (const name of ['ada', 'grace'])
          await call(
            `POST /lockdowns/${lockdown.body.id as string}/release`,
            { reason: 'over' },
            mayfly.personToken('operator', name),
          );
      }
    },
  );

  it('a tree of three tasks is locked down by its root', async () => {
    const top = await root();
    const middle = await child('searcher', top.id, 'analyst', 'analyse');
    const waiting = await delegate('analyst', middle.id as string, 'writer', 'write');
    const operator = mayfly.personToken('operator', 'ada');
    const body = { scope: { kind: 'tree', name: top.id }, reason: 'test' };
    expect(await mayfly.send('POST /lockdowns', { token: operator, body })).toMatchObject({ status: 201 });
    expect((await accept('writer', waiting.body.id)).status).toBe(403);
    expect(await as('analyst', `POST /tasks/${middle.id as string}/heartbeat`)).toMatchObject(denied('lockdown'));
    await until('the tree has ended', 20, async () =>
      (await treeOf(top.id)).nodes.every(({ state }) => state !== 'active'),
    );
    expect(await root()).toMatchObject({ state: 'active' });
  });
});

describe('what a child cannot be', () => {
  let top: { id: string };
  beforeEach(async () => {
    top = await root();
  });

  it.each<[string, string, string, object]>([
    ['delegation-scope', 'analyst', 'wide-token', {}],
    ['delegation-scope', 'analyst', 'wide-table', {}],
    ['delegation-scope', 'analyst', 'elsewhere', {}],
    ['delegation-template', 'analyst', 'unlisted', {}],
    ['delegation-template', 'analyst', 'nowhere', {}],
    ['delegation-cycle', 'searcher', 'search', {}],
    ['delegation-acceptor', 'nobody', 'analyse', {}],
    ['delegation-lifetime', 'analyst', 'analyse', { ttlSeconds: 3_600 }],
  ])('a child is refused with %s: %s, %s', async (control, to, template, more) => {
    const before = (await treeOf(top.id)).nodes.length;
    expect(await delegate('searcher', top.id, to, template, more)).toMatchObject(denied(control));
    expect((await treeOf(top.id)).nodes).toHaveLength(before);
    const [last] = await rowsOf<{ body: string }>(
      mayfly.database.adminUrl,
      `SELECT body FROM audit_entry WHERE type = 'task.denied' ORDER BY batch DESC, place DESC LIMIT 1`,
    );
    expect(JSON.parse(last!.body)).toMatchObject({ control });
  });

  it('a child is refused deeper than each task above it allows, and in a cycle over a task between', async () => {
    const middle = await child('searcher', top.id, 'analyst', 'analyse');
    expect(await delegate('analyst', middle.id as string, 'searcher', 'search')).toMatchObject(
      denied('delegation-cycle'),
    );
    const leaf = await child('analyst', middle.id as string, 'writer', 'write');
    expect(await delegate('writer', leaf.id as string, 'analyst', 'deeper')).toMatchObject(denied('delegation-depth'));
  });

  it('a child is refused by a template that hands nothing on', async () => {
    const { id } = await root('searcher', 'lonely');
    expect(await delegate('searcher', id, 'analyst', 'analyse')).toMatchObject(denied('delegation-template'));
  });

  it('children are refused beyond their number, also when they are asked for at once, and fit again when one has ended', async () => {
    const { id } = await root();
    const answers = await Promise.all(Array.from({ length: 16 }, () => delegate('searcher', id, 'analyst', 'analyse')));
    const handed = answers.filter(({ status }) => status === 201);
    expect(handed).toHaveLength(3);
    expect(answers.find(({ status }) => status !== 201)).toMatchObject(denied('delegation-children'));
    const taken = await accept('analyst', handed[0]!.body.id);
    expect(await delegate('searcher', id, 'analyst', 'analyse')).toMatchObject(denied('delegation-children'));
    await as('analyst', `POST /tasks/${taken.body.id as string}/complete`);
    await until(
      'the child has ended',
      10,
      async () => (await delegate('searcher', id, 'analyst', 'analyse')).status === 201,
    );
  });

  it('a child lives no longer than its parent, whatever its template allows, and is renewed up to it', async () => {
    const short = await rootOf('searcher', { template: 'search', ttlSeconds: 60 });
    const taken = await child('searcher', short.id, 'analyst', 'analyse');
    expect(Date.parse(taken.expiresAt as string)).toBeLessThanOrEqual(Date.parse(short.expiresAt));
    expect(taken).toMatchObject({ lifetime: { limitedBy: 'parent' } });
    await as('searcher', `POST /tasks/${short.id}/renew`, { ttlSeconds: 120 });
    const { body } = await as('analyst', `POST /tasks/${taken.id as string}/renew`, { ttlSeconds: 600 });
    const parent = await as('searcher', `GET /tasks/${short.id}`);
    expect(Date.parse(body.expiresAt as string)).toBeGreaterThan(Date.parse(taken.expiresAt as string));
    expect(Date.parse(body.expiresAt as string)).toBeLessThanOrEqual(Date.parse(parent.body.expiresAt as string));
  });
});

describe('taking a delegation up', () => {
  it('a delegation is taken up by the named agent, once', async () => {
    const top = await root();
    const { body } = await delegate('searcher', top.id, 'analyst', 'analyse');
    expect(await accept('writer', body.id)).toMatchObject(denied('delegation-acceptor'));
    expect(await accept('searcher', body.id)).toMatchObject(denied('delegation-acceptor'));
    const answers = await Promise.all(Array.from({ length: 8 }, () => accept('analyst', body.id)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.find(({ status }) => status !== 201)).toMatchObject(denied('delegation-pending'));
    expect(await accept('analyst', newId('tsk'))).toMatchObject({ status: 404 });
  });

  it('a delegation is not taken up after the end of its parent, and lapses', async () => {
    const top = await root();
    const { body } = await delegate('searcher', top.id, 'analyst', 'analyse');
    await as('searcher', `POST /tasks/${top.id}/complete`);
    expect(await accept('analyst', body.id)).toMatchObject(denied('delegation-parent'));
    expect((await treeOf(top.id)).nodes[1]).toMatchObject({ id: body.id, state: 'lapsed' });
    expect(await delegate('searcher', top.id, 'analyst', 'analyse')).toMatchObject(denied('delegation-parent'));
  });

  it('a delegation is not taken up after its time', async () => {
    const top = await root();
    const { body } = await delegate('searcher', top.id, 'analyst', 'analyse');
    await rowsOf(mayfly.database.adminUrl, `UPDATE delegation SET accept_by = now() WHERE id = '${body.id as string}'`);
    expect(await accept('analyst', body.id)).toMatchObject(denied('delegation-pending'));
  });

  it('a delegation with a key is handed on once, and taken up once with the same secrets, however often it is asked for', async () => {
    const top = await root();
    const key = { 'idempotency-key': 'hand-on-1' };
    const handed = await Promise.all(
      Array.from({ length: 50 }, () => delegate('searcher', top.id, 'analyst', 'analyse', {}, key)),
    );
    expect(new Set(handed.map(({ status, body }) => `${String(status)} ${body.id as string}`)).size).toBe(1);
    expect(await delegate('searcher', top.id, 'writer', 'write', {}, key)).toMatchObject({ status: 422 });
    const id = handed[0]!.body.id;
    const first = await accept('analyst', id, { 'idempotency-key': 'take-1' });
    const second = await accept('analyst', id, { 'idempotency-key': 'take-1' });
    expect(secretOf(first.body as never, 'api', 'token')).toBe(secretOf(second.body as never, 'api', 'token'));
    expect((await treeOf(top.id)).nodes).toHaveLength(2);
  });

  it('a tree is shown to the agents in it, and to no other', async () => {
    const top = await root();
    await child('searcher', top.id, 'analyst', 'analyse');
    expect(await as('analyst', `GET /tasks/${top.id}/tree`)).toMatchObject({ status: 200 });
    expect(await as('writer', `GET /tasks/${top.id}/tree`)).toMatchObject({ status: 404 });
  });
});

describe('ends that race with leaves', () => {
  it('an end of the root leaves no child alive that is being taken up at the same time', async () => {
    for (let round = 0; round < 20; round += 1) {
      const top = await root();
      const { body } = await delegate('searcher', top.id, 'analyst', 'analyse');
      const taking = accept('analyst', body.id);
      await new Promise((resolve) => setTimeout(resolve, round * 2));
      await as('searcher', `POST /tasks/${top.id}/complete`);
      await taking;
      const [row] = await rowsOf<{ alive: number }>(
        mayfly.database.adminUrl,
        `SELECT count(*)::int AS alive FROM task WHERE (id = '${top.id}' OR root_id = '${top.id}') AND end_cause IS NULL`,
      );
      expect(row).toEqual({ alive: 0 });
    }
  });
});
