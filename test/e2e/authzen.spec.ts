import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestBroker, type TestBroker } from '../support/broker.js';
import { agentDocument, templateDocument, yamlOf } from '../support/documents.js';
import { rowsOf } from '../support/rows.js';

let mayfly: TestBroker;
beforeAll(async () => {
  const documents = yamlOf(
    ...['asker', 'other'].map((name) => agentDocument(name)),
    templateDocument('read-cases'),
    templateDocument('billing', { requesters: { agents: { duty: 'billing' }, runtimes: ['developer-laptop'] } }),
    templateDocument('none-left', { quota: { tasksPerMinute: 1, concurrentTasks: 1 } }),
  );
  mayfly = await startTestBroker({ documents });
});
afterAll(() => mayfly.stop());

const agent = (id: string, properties = {}) => ({ type: 'agent', id, properties });
const template = (id: string) => ({ type: 'template', id });
const question = (resource: string, more: object = {}) => ({
  ...{ subject: agent('asker'), action: { name: 'request' }, resource: template(resource), ...more },
});
const as = (token: string, route: string, body: object, headers = {}) => mayfly.send(route, { token, body, headers });
const ask = (body: object, token = mayfly.agentToken('asker')) => as(token, 'POST /access/v1/evaluation', body);
const askAll = (body: object) => as(mayfly.agentToken('asker'), 'POST /access/v1/evaluations', body);
const decisions = async (body: object) =>
  ((await askAll(body)).body.evaluations as unknown as { decision: boolean }[]).map(({ decision }) => decision);

describe('an AuthZEN evaluation', () => {
  it('an AuthZEN evaluation is the decision of a dry run: a denial is 200 and names its control', async () => {
    expect(await ask(question('read-cases'))).toMatchObject({
      ...{ status: 200, body: { decision: true, context: { template_version: 1 } } },
    });
    expect(await ask(question('billing'))).toMatchObject({
      ...{ status: 200, body: { decision: false, context: { control: 'template-requesters' } } },
    });
    expect(await ask(question('read-cases', { context: { parameters: { other: 1 } } }))).toMatchObject({
      ...{ status: 200, body: { decision: false, context: { control: 'parameters' } } },
    });
    const body = { template: 'none-left', parameters: {}, purpose: 'use it up' };
    expect((await ask(question('none-left'))).body.decision).toBe(true);
    expect((await as(mayfly.agentToken('asker'), 'POST /tasks', body)).status).toBe(201);
    expect((await ask(question('none-left'))).body).toMatchObject({ context: { control: 'quota-concurrent-tasks' } });
  });

  it('an AuthZEN evaluation of an agent is about itself, and a person asks about any agent', async () => {
    expect((await ask(question('read-cases', { subject: agent('other') }))).body.decision).toBe(false);
    const auditor = mayfly.personToken('auditor');
    const about = (id: string, properties = {}) =>
      ask(question('read-cases', { subject: agent(id, properties) }), auditor);
    expect((await about('other', { runtime: 'developer-laptop' })).body.decision).toBe(true);
    expect((await about('other', { runtime: 'ci' })).body).toMatchObject({ context: { control: 'runtime-boundary' } });
    for (const answer of [await about('other'), await about('nobody', { runtime: 'ci' })])
      expect(answer).toMatchObject({ status: 200, body: { decision: false } });
  });

  it('an AuthZEN evaluation of another kind is denied, and a question of the wrong form is 400', async () => {
    for (const more of [
      { action: { name: 'delete' } },
      { resource: { type: 'file', id: 'x' } },
      { subject: { type: 'user', id: 'x' } },
    ])
      expect(await ask(question('read-cases', more))).toMatchObject({ status: 200, body: { decision: false } });
    expect((await ask({ ...question('read-cases'), unknown: { member: 1 } })).body.decision).toBe(true);
    for (const body of [{}, { subject: 'asker' }, { ...question('read-cases'), resource: { type: 'template' } }])
      expect((await ask(body)).status).toBe(400);
  });

  it('AuthZEN evaluations take defaults, and stop at the first denial or permit when asked to', async () => {
    const { resource: _, ...defaults } = question('');
    const evaluations = ['read-cases', 'billing', 'read-cases'].map((name) => ({ resource: template(name) }));
    const asked = (semantic?: string) => ({
      ...defaults,
      evaluations,
      ...(semantic && { options: { evaluations_semantic: semantic } }),
    });
    expect(await decisions(asked())).toEqual([true, false, true]);
    expect(await decisions(asked('deny_on_first_deny'))).toEqual([true, false]);
    expect(await decisions(asked('permit_on_first_permit'))).toEqual([true]);
    expect((await askAll({ evaluations })).status).toBe(400);
    expect((await askAll({ ...defaults, evaluations: [] })).status).toBe(400);
  });

  it('an AuthZEN evaluation repeats the id of its request, writes nothing, and is found by the metadata', async () => {
    const entries = () => rowsOf(mayfly.database.adminUrl, 'SELECT FROM audit_entry');
    const before = (await entries()).length;
    const headers = { 'x-request-id': 'ask-4711' };
    const answer = await as(mayfly.agentToken('asker'), 'POST /access/v1/evaluation', question('billing'), headers);
    expect(answer.headers.get('x-request-id')).toBe('ask-4711');
    expect(await entries()).toHaveLength(before);
    const { body } = await mayfly.send('GET /.well-known/authzen-configuration');
    expect(body).toMatchObject({ access_evaluation_endpoint: expect.stringMatching(/\/access\/v1\/evaluation$/) });
  });
});
