import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type JsonObject, newId } from '@mayfly/kernel';
import { startTestBroker, type TestAnswer, type TestBroker } from '../support/broker.js';
import { agentDocument, templateDocument } from '../support/documents.js';
import { rowsOf } from '../support/rows.js';
import { starterWith } from '../support/starter.js';
import { grant } from '../support/tasks.js';
import { until } from '../support/until.js';

const token = (...operations: string[]) => ({
  ...{ name: 'api', provider: 'signed-token' },
  scope: { audience: 'https://cases.example', operations },
});
const region = {
  type: 'object',
  properties: { region: { enum: ['emea', 'apac'] } },
  additionalProperties: false,
};
const handsOn = { delegation: { templates: ['part', 'wide'], maxDepth: 2, maxChildren: 1 } };
/** One agent and one template for each incident, so that none meets another. */
const INCIDENTS = ['locked', 'suspended', 'retired', 'narrowed', 'unlabelled', 'moved', 'short', 'widened', 'handed'];

const DOCUMENTS = [
  ...['searcher', 'helper', 'flooder', ...INCIDENTS].map((name) => agentDocument(name)),
  templateDocument('search', { parameters: region, credentials: [token('cases.read')], ...handsOn }),
  templateDocument('part', { credentials: [token('cases.read')] }),
  templateDocument('wide', { credentials: [token('cases.read', 'cases.delete')] }),
  templateDocument('few', { quota: { tasksPerMinute: 100, concurrentTasks: 1 } }),
  ...INCIDENTS.map((name) => templateDocument(`of-${name}`, { parameters: region, ...handsOn })),
  templateDocument('of-disabled', {
    credentials: [
      {
        ...{ name: 'db', provider: 'postgres', connection: 'crm' },
        scope: { grants: [{ schema: 'emea', tables: ['cases'], verbs: ['select'] }] },
      },
    ],
  }),
];

let mayfly: TestBroker;
beforeAll(async () => {
  const { documents, environment } = await starterWith(...DOCUMENTS);
  mayfly = await startTestBroker({ documents, environment });
});
afterAll(() => mayfly.stop());

const PURPOSE = 'answer ticket 4711';
const as = (agent: string, route: string, body?: unknown): Promise<TestAnswer> =>
  mayfly.send(route, { token: mayfly.agentToken(agent), ...(body === undefined ? {} : { body }) });
const by = (role: 'auditor' | 'operator' | 'platform', route: string, body?: unknown): Promise<TestAnswer> =>
  mayfly.send(route, { token: mayfly.personToken(role), ...(body === undefined ? {} : { body }) });
const ask = (agent: string, template: string, more: object = {}) =>
  as(agent, 'POST /tasks', { template, parameters: {}, purpose: PURPOSE, ...more });
const decisionOf = async (id: unknown) => (await by('auditor', `GET /decisions/${String(id)}`)).body;
const traceOf = async (id: unknown) => (await by('auditor', `GET /tasks/${String(id)}/control-trace`)).body;

async function expectSameBytes(id: unknown): Promise<void> {
  const { status, body } = await by('auditor', `POST /decisions/${String(id)}/replay`);
  expect({ status, id, identical: body.identical, differences: body.differences }).toEqual({
    ...{ status: 200, id, identical: true, differences: [] },
  });
}

describe('a decision', () => {
  it('a decision that grants is in the answer, and an auditor reads its inputs and makes it again', async () => {
    const { status, body } = await ask('searcher', 'search', { parameters: { region: 'emea' }, ttlSeconds: 60 });
    expect(status).toBe(201);
    expect(await decisionOf(body.decisionId)).toMatchObject({
      ...{ id: body.decisionId, phase: 'request', taskId: body.id, permitted: true, runtime: 'developer-laptop' },
      template: { name: 'search', version: 1 },
      inputs: {
        agent: { name: 'searcher', state: 'active', labels: { duty: 'support' } },
        request: { template: 'search', parameters: { region: 'emea' }, purpose: PURPOSE, ttlSeconds: 60 },
        ...{ lockdown: null, parent: null, commit: { verdict: 'opened' } },
      },
    });
    await expectSameBytes(body.decisionId);
  });

  it('a decision that denies is named by the problem, and is made again with the same bytes', async () => {
    const asked = [
      await ask('searcher', 'nowhere'),
      await ask('searcher', 'search', { parameters: { region: 'mars' } }),
      await ask('searcher', 'search', { parameters: { hunter2hunter2: 'x', region: 'apac' } }),
    ];
    const { body: first } = await ask('searcher', 'few');
    asked.push(await ask('searcher', 'few'));
    await as('searcher', `POST /tasks/${first.id as string}/complete`);
    expect(asked.map(({ body }) => body.control)).toEqual([
      ...['template-lifecycle', 'parameters', 'parameters', 'quota-concurrent-tasks'],
    ]);
    for (const { body } of asked) {
      expect(await decisionOf(body.decisionId)).toMatchObject({ permitted: false, control: body.control });
      await expectSameBytes(body.decisionId);
    }
    const rows = await rowsOf<{ body: string }>(mayfly.database.adminUrl, 'SELECT body FROM decision');
    expect(rows.map(({ body }) => body).join()).not.toMatch(/hunter2|mars/);
  });

  it('decisions on renewals, delegations and acceptances are kept, permitted and denied', async () => {
    const { id } = await grant(mayfly, mayfly.agentToken('searcher'), {
      ...{ template: 'search', parameters: {}, purpose: PURPOSE },
    });
    await as('searcher', `POST /tasks/${id}/renew`, { ttlSeconds: 400 });
    await as('searcher', `POST /tasks/${id}/renew`, { ttlSeconds: 10 }); // moves nothing
    const delegate = (agent: string, template: string, more = {}) =>
      as('searcher', `POST /tasks/${id}/delegate`, {
        ...{ agent, template, parameters: {}, purpose: PURPOSE, ...more },
      });
    const handed = await delegate('helper', 'part');
    const refusals = [
      await delegate('nobody', 'part'),
      await delegate('helper', 'wide'),
      await delegate('helper', 'part', { ttlSeconds: 9_000 }),
      await delegate('helper', 'part'), // one child at a time
      await as('searcher', `POST /tasks/${handed.body.id as string}/accept`),
    ];
    expect(refusals.map(({ body }) => body.control)).toEqual([
      ...['delegation-acceptor', 'delegation-scope', 'delegation-lifetime', 'delegation-children'],
      'delegation-acceptor',
    ]);
    const taken = await as('helper', `POST /tasks/${handed.body.id as string}/accept`);
    expect(taken.status).toBe(201);
    const { decisions } = (await traceOf(id)) as unknown as { decisions: { decisionId: string; phase: string }[] };
    expect(decisions.map(({ phase }) => phase)).toEqual([
      ...['request', 'renew', 'renew', 'delegate', 'delegate', 'delegate', 'delegate', 'delegate'],
    ]);
    for (const one of [...decisions.map(({ decisionId }) => decisionId), taken.body.decisionId])
      await expectSameBytes(one);
    for (const { body } of refusals) await expectSameBytes(body.decisionId);
    expect(await decisionOf(taken.body.decisionId)).toMatchObject({ inputs: { parent: { parentId: id, depth: 1 } } });
  });

  it('a decision is read by its agent, and by no other agent', async () => {
    const { body } = await ask('searcher', 'nowhere');
    const route = `GET /decisions/${body.decisionId as string}`;
    expect(await as('searcher', route)).toMatchObject({ status: 200, body: { control: 'template-lifecycle' } });
    expect(await as('helper', route)).toMatchObject({ status: 404 });
    expect(await by('auditor', `GET /decisions/${newId('dec')}`)).toMatchObject({ status: 404 });
    expect(await by('auditor', `POST /decisions/${newId('dec')}/replay`)).toMatchObject({ status: 404 });
  });

  it('a decision is what its audit entry says: the log has the digest of its bytes', async () => {
    const { body } = await ask('searcher', 'nowhere');
    const [row] = await rowsOf<{ body: string }>(
      mayfly.database.adminUrl,
      `SELECT body FROM decision WHERE id = '${body.decisionId as string}'`,
    );
    const entries = await rowsOf<{ body: string }>(
      mayfly.database.adminUrl,
      `SELECT body FROM audit_entry WHERE type = 'task.denied' ORDER BY batch DESC, place DESC LIMIT 1`,
    );
    const digest = createHash('sha256').update(row!.body).digest('base64url');
    expect(JSON.parse(entries[0]!.body)).toMatchObject({ decision: { id: body.decisionId, digest } });
  });

  it('a flood of denials is counted beyond its limit, and fills no table', async () => {
    const answers = await Promise.all(Array.from({ length: 130 }, () => ask('flooder', 'nowhere')));
    expect(answers.every(({ status }) => status === 404)).toBe(true);
    expect(answers.filter(({ body }) => body.decisionId !== undefined)).toHaveLength(100);
    const rows = await rowsOf(
      mayfly.database.adminUrl,
      `SELECT FROM decision WHERE body LIKE '%"agentName":"flooder"%'`,
    );
    expect(rows).toHaveLength(100);
  });
});

describe('a what-if', () => {
  let id: unknown;
  const whatIf = (change: object) => by('operator', `POST /decisions/${String(id)}/what-if`, change);
  const set = (pointer: string, value: unknown) => whatIf({ set: { pointer, value } });
  beforeAll(async () => {
    const { body } = await ask('searcher', 'search', { parameters: { region: 'emea' }, ttlSeconds: 60 });
    id = body.decisionId;
  });

  it.each<[string, unknown, string]>([
    ['/agent/state', 'suspended', 'agent-lifecycle'],
    ['/agent/labels/duty', 'billing', 'template-requesters'],
    ['/runtime', 'ci', 'runtime-boundary'],
    ['/request/parameters/region', 'mars', 'parameters'],
    ['/request/ttlSeconds', 0, 'lifetime'],
    ['/identity/expiresAt', '2020-01-01T00:00:00.000Z', 'lifetime'],
    ['/lockdown', { id: 'lkd_x', kind: 'all', name: '' }, 'lockdown'],
    ['/template', null, 'template-lifecycle'],
    ['/spec/requesters/runtimes', ['ci'], 'runtime-boundary'],
    ['/spec/parameters/properties/region/enum', ['apac'], 'parameters'],
    ['/commit', { verdict: 'quota', left: { tasksThisMinute: 0, concurrentTasks: 5 } }, 'quota-tasks-per-minute'],
    ['/commit', { verdict: 'agent' }, 'agent-lifecycle'],
  ])(
    'a what-if with another %s is decided as such a request would be: %j denies by %s',
    async (pointer, value, control) => {
      expect(await set(pointer, value)).toMatchObject({
        status: 200,
        body: { recorded: { permitted: true }, changed: { permitted: false, control } },
      });
    },
  );

  it('a what-if may permit what was denied', async () => {
    const { body } = await ask('searcher', 'search', { parameters: { region: 'mars' } });
    const change = { set: { pointer: '/request/parameters', value: { region: 'apac' } } };
    expect(await by('platform', `POST /decisions/${body.decisionId as string}/what-if`, change)).toMatchObject({
      status: 200,
      body: { recorded: { control: 'parameters' }, changed: { permitted: true } },
    });
  });

  it('a what-if hardens one control', async () => {
    const { body } = await whatIf({ harden: 'connection-state' });
    expect(body).toMatchObject({ changed: { permitted: false, control: 'connection-state' } });
    expect(body.differences).toMatchObject([{ control: 'connection-state', recorded: { outcome: 'permit' } }]);
  });

  it('a what-if refuses what is no input, and says which there are', async () => {
    expect(await set('/agent/stat', 'suspended')).toMatchObject({
      status: 400,
      body: {
        detail: expect.stringContaining('use one of `/agent/id`, `/agent/labels`, `/agent/name`, `/agent/state`'),
      },
    });
    expect(await set('/connections/0', {})).toMatchObject({ status: 400 });
    expect(await set('agent', {})).toMatchObject({
      status: 400,
      body: { detail: expect.stringContaining('JSON Pointer') },
    });
    for (const [pointer, value] of [
      ['/at', 'yesterday'],
      ['/agent', 'ada'],
      ['', {}],
      ['/commit', { verdict: 'quota' }],
      ['/spec/lifetime/maxSeconds', -1],
      ['/spec/parameters', { type: 'nothing' }],
    ] as const)
      expect(await set(pointer, value)).toMatchObject({
        ...{ status: 400, body: { detail: expect.stringContaining('does not fit the input') } },
      });
    expect(await whatIf({ harden: 'nothing' })).toMatchObject({ status: 400 });
    expect(await whatIf({})).toMatchObject({ status: 400 });
  });
});

/** Ten incidents of known cause: each lets one happen, and returns the task that it happened to. */
describe('the control trace of an incident', () => {
  const start = async (name: string, more: object = {}) =>
    (
      await grant(mayfly, mayfly.agentToken(name), {
        ...{ template: `of-${name}`, parameters: {}, purpose: PURPOSE, ...more },
      })
    ).id;
  const renewDenied = async (agent: string, id: string) => {
    expect(await as(agent, `POST /tasks/${id}/renew`, {})).toMatchObject({ status: expect.any(Number) });
    return id;
  };
  const ended = async (id: string) => {
    await until('the task has ended', 20, async () => (await traceOf(id)).ended);
    return id;
  };
  const replace = async (route: string, body?: JsonObject, person = 'author') => {
    const token = mayfly.personToken('platform', person);
    const answer = await mayfly.send(route, { token, headers: { 'if-match': '*' }, ...(body && { body }) });
    expect(answer.status).toBe(200);
  };
  const publish = async (name: string, spec: JsonObject) => {
    await replace(`PUT /templates/${name}`, templateDocument(name, spec));
    await replace(`POST /templates/${name}/publish`, undefined, 'publisher');
  };

  const incidents: Record<string, () => Promise<string>> = {
    'lockdown: the agent is locked down': async () => {
      const id = await start('locked');
      await by('operator', 'POST /lockdowns', { scope: { kind: 'agent', name: 'locked' }, reason: 'test' });
      return ended(id);
    },
    'agent-lifecycle: the agent is suspended': async () => {
      const id = await start('suspended');
      await by('operator', 'POST /agents/suspended/suspend');
      return ended(id);
    },
    'template-lifecycle: the template is retired': async () => {
      const id = await start('retired');
      await replace('POST /templates/of-retired/retire');
      return renewDenied('retired', id);
    },
    'parameters: the template takes other parameters': async () => {
      const id = await start('narrowed', { parameters: { region: 'emea' } });
      const parameters = { ...region, properties: { region: { enum: ['apac'] } } };
      await publish('of-narrowed', { parameters, ...handsOn });
      return renewDenied('narrowed', id);
    },
    'template-requesters: the agent has another duty': async () => {
      const id = await start('unlabelled');
      const agent = agentDocument('unlabelled');
      await replace('PUT /agents/unlabelled', {
        ...agent,
        metadata: { name: 'unlabelled', labels: { duty: 'billing' } },
      });
      return renewDenied('unlabelled', id);
    },
    'runtime-boundary: the agent runs elsewhere': async () => {
      const id = await start('moved');
      const identities = [{ issuer: 'development', subject: 'moved', runtime: 'ci' }];
      await replace('PUT /agents/moved', agentDocument('moved', { identities }));
      return renewDenied('moved', id);
    },
    'connection-state: the connection is disabled': async () => {
      const { id } = await grant(mayfly, mayfly.agentToken('searcher'), {
        ...{ template: 'of-disabled', parameters: {}, purpose: PURPOSE },
      });
      await replace('POST /connections/crm/disable');
      return renewDenied('searcher', id);
    },
    'lifetime: the task was short, and nobody renewed it': async () => ended(await start('short', { ttlSeconds: 2 })),
    'delegation-scope: the task hands on more than it has': async () => {
      const id = await start('widened');
      const asked = { agent: 'helper', template: 'wide', parameters: {}, purpose: PURPOSE };
      expect(await as('widened', `POST /tasks/${id}/delegate`, asked)).toMatchObject({ status: 403 });
      return id;
    },
    'delegation-parent: the parent ended before its child': async () => {
      const id = await start('handed');
      const asked = { agent: 'helper', template: 'part', parameters: {}, purpose: PURPOSE };
      const { body: child } = await as('handed', `POST /tasks/${id}/delegate`, asked);
      expect(await as('helper', `POST /tasks/${child.id as string}/accept`)).toMatchObject({ status: 201 });
      await as('handed', `POST /tasks/${id}/complete`);
      return ended(child.id as string);
    },
  };
  /** These controls denied what came after the request: nothing would have stopped the request itself. */
  const ONLY_LATER = ['runtime-boundary', 'lifetime', 'delegation-scope', 'delegation-parent'];

  it.each(Object.keys(incidents))('the control trace of an incident names its control: %s', async (incident) => {
    const [control = ''] = incident.split(':');
    const id = await incidents[incident]!();
    const { failed, shouldHaveStopped } = await traceOf(id);
    expect(failed).toMatchObject({ control });
    const expected = ONLY_LATER.includes(control) ? [] : [{ control, outcome: 'deny' }];
    expect(shouldHaveStopped).toMatchObject(expected);
    const { decisions } = (await traceOf(id)) as unknown as { decisions: { decisionId: string; control?: string }[] };
    for (const { decisionId } of decisions) await expectSameBytes(decisionId);
    const ending = ['lockdown', 'agent-lifecycle', 'lifetime', 'delegation-parent'];
    expect(decisions.at(-1)?.control).toBe(ending.includes(control) ? undefined : control);
  });
});
