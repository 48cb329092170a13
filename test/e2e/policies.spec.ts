import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '@mayfly/kernel';
import { startTestBroker, type TestAnswer, type TestBroker } from '../support/broker.js';
import { agentDocument, policyDocument, templateDocument, yamlOf } from '../support/declared.js';

const LABELS = { 'data-class': 'restricted', 'tool-risk': 'write' };
const DELEGATION = { templates: ['read-cases'], maxDepth: 1, maxChildren: 5 };
const labelled = (document: JsonObject): JsonObject => ({
  ...document,
  metadata: { ...(document.metadata as JsonObject), labels: LABELS },
});

let mayfly: TestBroker;
beforeAll(async () => {
  mayfly = await startTestBroker({
    documents: yamlOf(
      ...[agentDocument('one'), agentDocument('two'), templateDocument('read-cases')],
      ...[labelled(templateDocument('write-cases')), templateDocument('research', { delegation: DELEGATION })],
    ),
  });
});
afterAll(() => mayfly.stop());

const asPlatform = (route: string, body?: unknown, headers: Record<string, string> = {}): Promise<TestAnswer> =>
  mayfly.send(route, { token: mayfly.personToken('platform'), headers, ...(body === undefined ? {} : { body }) });
const as = (agent: string, route: string, body?: unknown): Promise<TestAnswer> =>
  mayfly.send(route, { token: mayfly.agentToken(agent), ...(body === undefined ? {} : { body }) });
const ask = (template: string, agent = 'one', query = ''): Promise<TestAnswer> =>
  as(agent, `POST /tasks${query}`, { template, parameters: {}, purpose: 'answer ticket 4711' });

const declared = new Set<string>();
const put = async (name: string, policies: Record<string, string>, spec: JsonObject = {}): Promise<TestAnswer> => {
  const found = await asPlatform(`GET /policies/${name}`);
  const tag = found.headers.get('etag');
  const headers: Record<string, string> = tag === null ? { 'if-none-match': '*' } : { 'if-match': tag };
  declared.add(name);
  return asPlatform(`PUT /policies/${name}`, policyDocument(name, policies, spec), headers);
};
afterEach(async () => {
  for (const name of declared) {
    const tag = (await asPlatform(`GET /policies/${name}`)).headers.get('etag');
    if (tag !== null) await asPlatform(`DELETE /policies/${name}`, undefined, { 'if-match': tag });
  }
  declared.clear();
});

const denied = (...policies: string[]) => ({
  status: 403,
  body: { control: 'policy', detail: expect.stringContaining(policies.join('`, `')) },
});
const NO_RESTRICTED = 'forbid(principal, action, resource) when { context.dataClass == "restricted" };';

describe('policies', () => {
  it('policies are in force when the answer comes, name themselves in the denial and the audit, and end with their deletion', async () => {
    expect((await ask('write-cases')).status).toBe(201);
    expect((await put('guardrails', { restricted: `@reason("ask security") ${NO_RESTRICTED}` })).status).toBe(201);
    const refused = await ask('write-cases');
    expect(refused).toMatchObject(denied('Policy/guardrails/restricted'));
    expect(refused.body.help).toBe('ask security');
    expect((await ask('read-cases')).status).toBe(201);
    const { rows } = await mayfly.broker.services.database.pool.query<{ body: string }>(
      `SELECT body FROM public.audit_entry WHERE type = 'task.denied' ORDER BY batch DESC, place DESC LIMIT 1`,
    );
    const { controls = [] } = JSON.parse(rows[0]?.body ?? '{}') as { controls?: JsonObject[] };
    expect(controls.at(-1)).toMatchObject({
      control: 'policy',
      evidence: { policies: ['Policy/guardrails/restricted'] },
    });
    const tag = (await asPlatform('GET /policies/guardrails')).headers.get('etag') ?? '';
    expect((await asPlatform('DELETE /policies/guardrails', undefined, { 'if-match': tag })).status).toBe(204);
    expect((await ask('write-cases')).status).toBe(201);
  });

  it('policies decide a dry run as they would the request, and their obligations narrow both', async () => {
    await put('short', { all: '@shorterLifeSeconds("45") permit(principal, action, resource);' });
    const dry = await ask('read-cases', 'one', '?dryRun=true');
    expect(dry.body).toMatchObject({ wouldGrant: true, limitedBy: 'policy' });
    const granted = await ask('read-cases');
    expect(granted.body).toMatchObject({ lifetime: { grantedSeconds: 45, limitedBy: 'policy' } });
    await put('short', { none: 'forbid(principal, action, resource);' });
    expect((await ask('read-cases', 'one', '?dryRun=true')).body).toMatchObject({ wouldGrant: false });
  });

  it('policies decide renewals, delegations and who takes work up, each by its own action or phase', async () => {
    const { body: task } = await ask('research');
    const id = task.id as string;
    await put('guardrails', {
      renew: 'forbid(principal, action == Action::"renew", resource);',
      delegate: 'forbid(principal, action == Action::"delegate", resource in Template::"read-cases");',
    });
    expect(await as('one', `POST /tasks/${id}/renew`, {})).toMatchObject(denied('Policy/guardrails/renew'));
    const handOn = () =>
      as('one', `POST /tasks/${id}/delegate`, {
        ...{ agent: 'two', template: 'read-cases', parameters: {}, purpose: 'answer ticket 4711' },
      });
    expect(await handOn()).toMatchObject(denied('Policy/guardrails/delegate'));
    await put('guardrails', { accept: 'forbid(principal, action, resource) when { context.phase == "accept" };' });
    const handed = await handOn();
    expect(handed.status).toBe(201);
    const accept = () => as('two', `POST /tasks/${handed.body.id as string}/accept`);
    expect(await accept()).toMatchObject(denied('Policy/guardrails/accept'));
    await put('guardrails', { other: 'forbid(principal, action, resource) when { context.treeDepth != 1 };' });
    expect((await accept()).status).toBe(201);
  });

  it('a switch that one document declares is read by the policies of all others', async () => {
    await put('guardrails', {
      freeze: 'forbid(principal, action, resource) when { context.environment.freeze && context.toolRisk == "write" };',
    });
    expect((await ask('write-cases')).status).toBe(201);
    await put('switches', {}, { environment: { freeze: true } });
    expect(await ask('write-cases')).toMatchObject(denied('Policy/guardrails/freeze'));
    expect((await ask('read-cases')).status).toBe(201);
    await put('switches', {}, { environment: { freeze: false } });
    expect((await ask('write-cases')).status).toBe(201);
  });

  it('a policy that changes during a stream of requests denies all of them once its answer is there', async () => {
    const answers: { readonly sentAt: number; readonly status: number }[] = [];
    let changedAt = Infinity;
    let isRunning = true;
    const stream = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (isRunning) {
          const sentAt = performance.now();
          const { status } = await ask('read-cases');
          answers.push({ sentAt, status });
        }
      }),
    );
    while (answers.length < 20) await new Promise((resolve) => setTimeout(resolve, 5));
    expect((await put('stop', { all: 'forbid(principal, action, resource);' })).status).toBe(201);
    changedAt = performance.now();
    const already = answers.length;
    while (answers.length < already + 20) await new Promise((resolve) => setTimeout(resolve, 5));
    isRunning = false;
    await stream;
    const after = answers.filter(({ sentAt }) => sentAt > changedAt);
    expect(after.length).toBeGreaterThan(10);
    expect(new Set(after.map(({ status }) => status))).toEqual(new Set([403]));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201, 403]));
  });

  it('a policy reaches another replica within a second, which loads Cedar by itself', async () => {
    const other = await startTestBroker({ beside: mayfly, documents: '' });
    try {
      const fromOther = () =>
        other.send('POST /tasks', {
          token: mayfly.agentToken('one'),
          body: { template: 'read-cases', parameters: {}, purpose: 'answer ticket 4711' },
        });
      expect((await fromOther()).status).toBe(201);
      expect(other.broker.services.policyEngine.isLoaded).toBe(false);
      await put('stop', { all: 'forbid(principal, action, resource);' });
      const until = performance.now() + 10_000;
      while ((await fromOther()).status !== 403 && performance.now() < until);
      expect((await fromOther()).status).toBe(403);
      expect(other.broker.services.policyEngine.isLoaded).toBe(true);
    } finally {
      await other.stop();
    }
  });

  it('a stored policy that cannot be read denies every request, and the others stay as they are', async () => {
    await put('fine', { all: 'permit(principal, action, resource);' });
    const { pool } = mayfly.broker.services.database;
    await pool.query(`INSERT INTO public.policy (name, spec, updated_by) VALUES ('odd', '{"owner": 1}', 'nobody')`);
    try {
      await mayfly.broker.services.catalog.refresh();
      expect(await ask('read-cases')).toMatchObject(denied('Policy/odd'));
    } finally {
      await pool.query(`DELETE FROM public.policy WHERE name = 'odd'`);
      await mayfly.broker.services.catalog.refresh();
    }
    expect((await ask('read-cases')).status).toBe(201);
  });
});

describe('conditions of a template', () => {
  const publish = async (conditions: Record<string, string>): Promise<TestAnswer> => {
    const tag = (await asPlatform('GET /templates/guarded')).headers.get('etag');
    const document = templateDocument('guarded', { conditions });
    if (tag === null) await asPlatform('POST /templates', document);
    else await asPlatform('PUT /templates/guarded', document, { 'if-match': tag });
    const etag = (await asPlatform('GET /templates/guarded')).headers.get('etag') ?? '';
    const reviewer = mayfly.personToken('platform', 'reviewer');
    return mayfly.send('POST /templates/guarded/publish', { token: reviewer, headers: { 'if-match': etag } });
  };

  it('conditions of a template are part of its version, need a second person, and hold for this template alone', async () => {
    const conditions = { 'only-two': 'permit(principal, action, resource) when { principal.name == "two" };' };
    expect((await publish(conditions)).status).toBe(200);
    expect(await ask('guarded', 'one')).toMatchObject(denied('TaskTemplate/guarded/only-two'));
    expect((await ask('guarded', 'two')).status).toBe(201);
    expect((await ask('read-cases', 'one')).status).toBe(201);
    const { body } = await asPlatform('GET /templates/guarded/versions/1');
    expect(body).toMatchObject({ spec: { conditions } });
    expect((await publish({ open: 'permit(principal, action, resource);' })).status).toBe(200);
    expect((await ask('guarded', 'one')).status).toBe(201);
  });

  it.each([
    [
      'does not validate',
      'permit(principal, action, resource) when { principal.nme == "x" };',
      'line 1, column 44: attribute `nme`',
    ],
    [
      'is impossible',
      'forbid(principal, action, resource) when { principal has nme };',
      'line 1, column 1: policy is impossible',
    ],
    [
      'names another template',
      'forbid(principal, action, resource in Template::"read-cases");',
      'conditions hold for their own template; name no template in the scope',
    ],
  ])('a condition that %s keeps the template from being published', async (_, text, detail) => {
    const refused = await publish({ odd: text });
    expect(refused).toMatchObject({ status: 422, body: { type: 'urn:mayfly:problem:invalid_template' } });
    const [error] = refused.body.errors as { pointer: string; detail: string }[];
    expect(error).toMatchObject({
      pointer: '/spec/conditions/odd',
      detail: expect.stringContaining(`MF401: ${detail}`),
    });
  });
});

describe('bad policies', () => {
  it.each([
    ['does not parse', 'permit(principal,\n  action resource);', 'line 2, column 10'],
    [
      'names an unknown attribute',
      'forbid(principal, action, resource) when { context.hour > 3 };',
      'line 1, column 44',
    ],
    ['can never match', 'forbid(principal, action, resource) when { "context.phase" == "renew" };', 'impossible'],
    [
      'is too deep',
      `forbid(principal, action, resource) when { ${'('.repeat(2_000)}true${')'.repeat(2_000)} };`,
      'line 1, column 75: over 32 levels',
    ],
    [
      'has an obligation that nobody knows',
      '@approval("2") permit(principal, action, resource);',
      '`@approval` is no annotation',
    ],
  ])('a policy that %s is refused with its place, and nothing changes', async (_, text, detail) => {
    const refused = await put('odd', { fine: 'permit(principal, action, resource);', broken: text });
    expect(refused).toMatchObject({ status: 422, body: { type: 'urn:mayfly:problem:invalid_declaration' } });
    const [error] = refused.body.errors as { pointer: string; detail: string }[];
    expect(error?.pointer).toBe('/spec/policies/broken');
    expect(error?.detail).toContain(`Policy/odd: spec.policies.broken: `);
    expect(error?.detail).toContain(detail);
    expect((await asPlatform('GET /policies/odd')).status).toBe(404);
    expect((await ask('read-cases')).status).toBe(201);
    const checked = await asPlatform('POST /declarations/check', {
      documents: [policyDocument('odd', { broken: text })],
      publish: false,
    });
    expect(checked.body).toMatchObject({
      ok: false,
      documents: [{ kind: 'Policy', refusal: { errors: [{ pointer: '/spec/policies/broken' }] } }],
    });
  });

  it('a policy of the name `schema`, of over 100 texts, or with one policy too many for a template is refused', async () => {
    expect((await put('schema', {})).status).toBe(422);
    const many = (count: number) =>
      Object.fromEntries(
        Array.from({ length: count }, (_, n) => [`p${String(n)}`, 'permit(principal, action, resource);']),
      );
    expect((await put('many', many(101))).status).toBe(422);
    expect((await put('many', many(98))).status).toBe(201);
    const full = await put('more', many(3));
    expect(full).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/spec/policies', detail: expect.stringContaining('over 100') }] },
    });
    expect((await ask('read-cases')).status).toBe(201);
  });
});

describe('GET /policies/schema', () => {
  it('GET /policies/schema answers with the schema and the annotations, for people who may read', async () => {
    const { status, body } = await mayfly.send('GET /policies/schema', { token: mayfly.personToken('auditor') });
    expect(status).toBe(200);
    expect(body).toMatchObject({ language: 'cedar', actions: ['request', 'renew', 'delegate', 'operate'] });
    expect(body.schema).toContain('entity Agent');
    expect((await as('one', 'GET /policies/schema')).status).toBe(403);
  });
});
