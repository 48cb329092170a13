import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '@mayfly/kernel';
import { startTestBroker, type TestAnswer, type TestBroker } from '../support/broker.js';
import { CASES, COUNTED_DOCUMENTS } from '../support/counted-documents.js';
import { postForm } from '../support/form.js';
import { giveBack } from '../support/give-back.js';
import { rowsOf } from '../support/rows.js';
import { starterWith } from '../support/starter.js';
import { openTransaction } from '../support/target.js';
import { grant, secretOf, type TaskBody } from '../support/tasks.js';
import { until } from '../support/until.js';

let mayfly: TestBroker;
beforeAll(async () => {
  const { documents, environment } = await starterWith(...COUNTED_DOCUMENTS);
  mayfly = await startTestBroker({ documents, environment });
});
afterAll(async () => {
  await giveBack(mayfly);
  await mayfly.stop();
});

const tasks: string[] = [];
afterEach(async () => {
  const token = mayfly.personToken('operator');
  for (const id of tasks.splice(0)) await mayfly.send(`DELETE /tasks/${id}`, { token });
});

/** An id in an answer. */
const text = (id: unknown): string => id as string;
const PURPOSE = 'answer ticket 4711';
async function taskOf(template: string): Promise<TaskBody & { readonly token: string }> {
  const task = await grant(mayfly, mayfly.agentToken('searcher'), { template, parameters: {}, purpose: PURPOSE });
  tasks.push(task.id);
  return { ...task, token: task.taskToken?.value ?? '' };
}
const server = 'resource-server/cases';
const gateway = 'resource-server/crm';
const authorize = (body: unknown, caller = server): Promise<TestAnswer> =>
  mayfly.send('POST /authorize', { token: mayfly.agentToken(caller), body });
const read = { operation: 'cases.read', target: CASES };
const select = { operation: 'select', target: 'crm/emea.cases' };
const DENIED = { decision: false, decisionId: expect.stringMatching(/^dec_/), control: 'task-token' };
const stateOf = async (id: string): Promise<JsonObject> =>
  (await mayfly.send(`GET /tasks/${id}`, { token: mayfly.personToken('auditor') })).body;

describe('the task token', () => {
  it('the task token is in the answer that grants, once, and is the same in a replay', async () => {
    const call = {
      token: mayfly.agentToken('searcher'),
      body: { template: 'free', parameters: {}, purpose: PURPOSE },
      headers: { 'idempotency-key': 'once' },
    };
    const [first, again] = [await mayfly.send('POST /tasks', call), await mayfly.send('POST /tasks', call)];
    tasks.push(text(first.body.id));
    expect(first.body.taskToken).toEqual({ value: expect.stringMatching(/^mft_/), expiresAt: first.body.expiresAt });
    expect(again.body).toEqual(first.body);
    expect(await stateOf(text(first.body.id))).not.toHaveProperty('taskToken');
  });

  it('the task token permits an operation of its task to the enforcement point of the credential', async () => {
    const { token } = await taskOf('free');
    const answer = await authorize({ token, ...read });
    expect(answer).toMatchObject({ status: 200, body: { decision: true } });
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(Object.keys(answer.body).sort()).toEqual(['decision', 'decisionId']);
  });

  it('the task token is no identity: no route admits it', async () => {
    const { token, id } = await taskOf('free');
    for (const route of [`GET /tasks/${id}`, `POST /tasks/${id}/complete`, 'GET /me', 'POST /authorize', 'POST /tasks'])
      expect(await mayfly.send(route, { token })).toMatchObject({ status: 401 });
  });

  it.each<[string, (id: string) => Promise<unknown>]>([
    ['was completed', (id) => mayfly.send(`POST /tasks/${id}/complete`, { token: mayfly.agentToken('searcher') })],
    ['was revoked', (id) => mayfly.send(`DELETE /tasks/${id}`, { token: mayfly.personToken('operator') })],
    [
      'is under a lockdown',
      (id) =>
        mayfly.send('POST /lockdowns', {
          token: mayfly.personToken('operator'),
          body: { scope: { kind: 'task', name: id }, reason: 'a drill' },
        }),
    ],
  ])('the task token is dead as soon as its task %s', async (_, end) => {
    const { token, id } = await taskOf('free');
    expect((await authorize({ token, ...read })).body.decision).toBe(true);
    await end(id);
    expect((await authorize({ token, ...read })).body).toEqual(DENIED);
  });
});

describe('an enforcement point', () => {
  it.each<[string, string]>([
    ['the resource server of another audience', 'mail'],
    ['a workload that nobody declared', 'stranger'],
    ['the agent of the task itself', 'searcher'],
  ])('an enforcement point is not %s: it gets the denial of a token that does not exist', async (_, caller) => {
    const task = await taskOf('free');
    const jwt = secretOf(task, 'api', 'token');
    for (const token of [task.token, jwt, 'mft_x', 'no token'])
      expect((await authorize({ token, ...read }, caller)).body).toEqual(DENIED);
  });

  it('an enforcement point gets the same answer for the token of a person or an agent, and a token of another installation', async () => {
    const foreign = `mft_${(await taskOf('free')).id.slice(4)}_${'A'.repeat(43)}`;
    for (const token of [mayfly.personToken('operator'), mayfly.agentToken('searcher'), foreign])
      expect((await authorize({ token, ...read })).body).toEqual(DENIED);
  });

  it.each<[string, string, object]>([
    ['another operation of its audience', server, { operation: 'cases.delete', target: CASES }],
    ['another audience', server, { operation: 'cases.read', target: 'https://mail.example' }],
    ['a name that only begins like its audience', server, { operation: 'cases.read', target: `${CASES}.evil.example` }],
    ['an operation at a connection that the template does not name', gateway, select],
  ])('an enforcement point is denied %s, and nothing is counted', async (_, caller, asked) => {
    const { token } = await taskOf('free');
    expect(await authorize({ token, ...asked }, caller)).toMatchObject({
      status: 200,
      body: { decision: false, control: 'operation-scope', detail: expect.any(String) },
    });
  });

  it('an enforcement point of a connection is permitted what the template names, at the connection and below it', async () => {
    const { token } = await taskOf('tight');
    for (const target of ['crm', 'crm/emea.cases'])
      expect((await authorize({ token, ...select, target }, gateway)).body).toMatchObject({ decision: true });
    for (const wrong of [{ operation: 'drop' }, { target: 'crm2' }, { target: 'mail' }])
      expect((await authorize({ token, ...select, ...wrong }, gateway)).body.control).toBe('operation-scope');
    expect((await authorize({ token, ...select }, gateway)).body.uses).toEqual({ limit: 3, left: 0 });
  });

  it('an enforcement point can show the access token, which is judged by its own credential alone', async () => {
    const task = await taskOf('tight');
    const token = secretOf(task, 'api', 'token');
    expect((await authorize({ token, ...read, target: `${CASES}/cases/4711` })).body).toMatchObject({
      ...{ decision: true, uses: { limit: 3, left: 2 } },
    });
    expect((await authorize({ token, ...select }, gateway)).body).toEqual(DENIED);
  });

  it('an enforcement point must be a proven workload', async () => {
    const { token } = await taskOf('free');
    const body = { token, ...read };
    expect(await mayfly.send('POST /authorize', { body })).toMatchObject({ status: 401 });
    expect(await mayfly.send('POST /authorize', { token: mayfly.personToken('operator'), body })).toMatchObject({
      status: 403,
    });
  });
});

describe('uses over HTTP', () => {
  it('the use that exceeds the limit is denied, ends the task, and the session of its credential fails at the target', async () => {
    const task = await taskOf('tight');
    const { client, ended } = await openTransaction(secretOf(task, 'db', 'url'));
    for (const left of [2, 1, 0])
      expect((await authorize({ token: task.token, ...select }, gateway)).body).toMatchObject({
        ...{ decision: true, uses: { limit: 3, left } },
      });
    await client.query('SELECT count(*) FROM emea.cases');
    const asked = performance.now();
    const over = await authorize({ token: task.token, ...select }, gateway);
    expect(over).toMatchObject({
      status: 200,
      body: { decision: false, control: 'quota-uses', uses: { limit: 3, left: 0 } },
    });
    expect(await stateOf(task.id)).toMatchObject({ endCause: 'uses_exhausted' });
    console.log(
      `the session was dead ${((await ended) - asked).toFixed(0)} ms after the use over the limit was asked for`,
    );
    await expect(client.query('SELECT 1')).rejects.toThrow();
    await until('the task is revoked', 10, async () => (await stateOf(task.id)).state === 'revoked');
    // Later uses hear the same, and the access token is dead by introspection.
    expect((await authorize({ token: task.token, ...read })).body).toMatchObject({
      ...{ decision: false, control: 'quota-uses', uses: { limit: 3, left: 0 } },
    });
    const shown = await postForm(`${mayfly.url}/oauth/introspect`, mayfly.agentToken(server), {
      token: secretOf(task, 'api', 'token'),
    });
    expect(shown.text).toBe('{"active":false}');
  });

  it('uses of units are counted each by its own limit', async () => {
    const { token } = await taskOf('units');
    expect((await authorize({ token, ...read, uses: { rows: 60 } })).body).toMatchObject({
      ...{ decision: true, uses: { limit: 10, left: 9 }, units: { rows: { limit: 100, left: 40 } } },
    });
    expect((await authorize({ token, ...read, uses: { calls: 0, rows: 41 } })).body).toMatchObject({
      ...{ decision: false, control: 'quota-uses', units: { rows: { limit: 100, left: 0 } } },
    });
  });

  it('uses over the rate are denied with the time to wait, and end nothing', async () => {
    const { token, id } = await taskOf('slow');
    const batch = await authorize({ evaluations: Array.from({ length: 3 }, () => ({ token, ...read })) });
    const decisions = (batch.body.evaluations as readonly JsonObject[]).map(({ decision }) => decision);
    expect(decisions).toEqual([true, true, false]);
    const { body } = await authorize({ token, ...read });
    expect(body).toMatchObject({ decision: false, control: 'uses-per-minute', uses: { limit: 100, left: 98 } });
    expect(body.retryAfterSeconds).toBeGreaterThan(0);
    expect(body.retryAfterSeconds).toBeLessThanOrEqual(61);
    expect(await stateOf(id)).toMatchObject({ state: 'active' });
  });

  it('uses with the same request id are one use for one enforcement point', async () => {
    const { token } = await taskOf('tight');
    const keyed = (caller: string, asked: object) => authorize({ token, ...asked, requestId: 'r-1' }, caller);
    for (let times = 0; times < 3; times += 1)
      expect((await keyed(server, read)).body.uses).toEqual({ limit: 3, left: 2 });
    expect((await keyed(gateway, select)).body.uses).toEqual({ limit: 3, left: 1 });
  });

  it('uses of a child are taken from its parent too, and the one that exceeds the limit of the parent ends both', async () => {
    const parent = await taskOf('parent');
    const handed = await mayfly.send(`POST /tasks/${parent.id}/delegate`, {
      token: mayfly.agentToken('searcher'),
      body: { agent: 'analyst', template: 'free-child', parameters: {}, purpose: PURPOSE },
    });
    const taken = await mayfly.send(`POST /tasks/${text(handed.body.id)}/accept`, {
      token: mayfly.agentToken('analyst'),
    });
    const token = (taken.body.taskToken as JsonObject).value;
    expect(token).not.toBe(parent.token);
    const asked = [token, parent.token, token, parent.token, token].map((one) => ({ token: one, ...read }));
    const { body } = await authorize({ evaluations: asked });
    expect((body.evaluations as readonly JsonObject[]).map(({ decision }) => decision)).toEqual([
      true,
      true,
      true,
      true,
      false,
    ]);
    expect(await stateOf(parent.id)).toMatchObject({ endCause: 'uses_exhausted' });
    expect(await stateOf(text(handed.body.id))).toMatchObject({ endCause: 'parent_ended' });
  });

  it('introspection takes a use only with `consume`', async () => {
    const task = await taskOf('tight');
    const token = secretOf(task, 'api', 'token');
    const introspect = async (form: Record<string, string>) =>
      (
        JSON.parse(
          (await postForm(`${mayfly.url}/oauth/introspect`, mayfly.agentToken(server), { token, ...form })).text,
        ) as JsonObject
      ).active;
    for (let times = 0; times < 5; times += 1) expect(await introspect({})).toBe(true);
    for (let times = 0; times < 3; times += 1) expect(await introspect({ consume: '1' })).toBe(true);
    expect(await introspect({})).toBe(true);
    expect(await introspect({ consume: '1' })).toBe(false);
    expect(await introspect({})).toBe(false);
    const wrong = await postForm(`${mayfly.url}/oauth/introspect`, mayfly.agentToken(server), { token, consume: '2' });
    expect(wrong.status).toBe(400);
  });
});

describe('a question to `POST /authorize`', () => {
  it('many operations are decided in their order, each by itself', async () => {
    const [one, other] = [await taskOf('tight'), await taskOf('free')];
    const { status, body } = await authorize({
      evaluations: [
        { token: one.token, ...read },
        { token: 'nothing', ...read },
        { token: other.token, operation: 'cases.delete', target: CASES },
        { token: other.token, ...read },
      ],
    });
    expect(status).toBe(200);
    expect(body.evaluations).toMatchObject([
      { decision: true, uses: { limit: 3, left: 2 } },
      DENIED,
      { decision: false, control: 'operation-scope' },
      { decision: true },
    ]);
  });

  it.each<[string, object, string]>([
    ['no operation', { target: CASES, token: 'x' }, '/operation'],
    ['an unknown field', { ...read, token: 'x', use: 1 }, '/use'],
    ['a negative use', { ...read, token: 'x', uses: -1 }, '/uses'],
    ['no use', { ...read, token: 'x', uses: 0 }, '/uses'],
    ['half a use', { ...read, token: 'x', uses: 0.5 }, '/uses'],
    ['an enormous use', { ...read, token: 'x', uses: 2 ** 53 }, '/uses'],
    ['an object of no uses', { ...read, token: 'x', uses: { calls: 0 } }, '/uses'],
    ['an overlong token', { ...read, token: 'x'.repeat(8_193) }, '/token'],
    ['a target with a blank', { ...read, token: 'x', target: 'crm emea' }, '/target'],
    ['no evaluation', { evaluations: [] }, '/evaluations'],
    [
      '1,001 evaluations',
      { evaluations: Array.from({ length: 1_001 }, () => ({ ...read, token: 'x' })) },
      '/evaluations',
    ],
    [
      'one bad evaluation',
      {
        evaluations: [
          { ...read, token: 'x' },
          { ...read, token: 'x', uses: -1 },
        ],
      },
      '/evaluations/1/uses',
    ],
  ])('a question with %s is refused with its place', async (_, body, pointer) => {
    const answer = await authorize(body);
    expect(answer).toMatchObject({ status: 400, body: { type: 'urn:mayfly:problem:invalid_request' } });
    expect((answer.body.errors as readonly JsonObject[]).map((error) => error.pointer)).toContain(pointer);
  });

  it('a question that cannot be counted is refused with 503, and one of many is denied by itself', async () => {
    const [counted, free] = [await taskOf('tight'), await taskOf('free')];
    const { adminUrl } = mayfly.database;
    await rowsOf(adminUrl, 'ALTER TABLE use_counter RENAME TO use_counter_away');
    const single = await authorize({ token: counted.token, ...read });
    const batch = await authorize({
      evaluations: [
        { token: counted.token, ...read },
        { token: 'x', ...read },
      ],
    });
    await rowsOf(adminUrl, 'ALTER TABLE use_counter_away RENAME TO use_counter');
    expect(single).toMatchObject({ status: 503 });
    expect(batch.body.evaluations).toMatchObject([{ decision: false, retryAfterSeconds: 2 }, DENIED]);
    expect((await authorize({ token: free.token, ...read })).body).toMatchObject({ decision: true });
  });

  it('a question whose record cannot be kept is refused with 503', async () => {
    const { token } = await taskOf('free');
    const { adminUrl } = mayfly.database;
    await rowsOf(adminUrl, 'ALTER TABLE decision RENAME TO decision_away');
    const answer = await authorize({ token, ...read });
    await rowsOf(adminUrl, 'ALTER TABLE decision_away RENAME TO decision');
    expect(answer).toMatchObject({ status: 503 });
  });
});

describe('the records of operations', () => {
  it('a record has the verdicts and inputs of the decision, and the audit entry of its batch has the digest of the records', async () => {
    const { token, id } = await taskOf('tight');
    const asked = { ...read, uses: 2, argumentsDigest: 'sha256:abc', requestId: 'r-9' };
    const { decisionId } = (await authorize({ token, ...asked })).body;
    const [record] = await rowsOf<{ body: string }>(
      mayfly.database.adminUrl,
      `SELECT body FROM decision WHERE id = '${text(decisionId)}' AND task_id = '${id}'`,
    );
    expect(JSON.parse(record?.body ?? '{}')).toMatchObject({
      ...{ phase: 'operate', permitted: true, agentName: 'searcher', templateName: 'tight' },
      trace: ['task-token', 'operation-scope', 'quota-uses', 'uses-per-minute'].map((control) => ({
        control,
        outcome: 'permit',
      })),
      inputs: {
        ...{ operation: 'cases.read', target: CASES, argumentsDigest: 'sha256:abc', requestId: 'r-9', use: 'taken' },
        uses: { calls: 2, rows: 0 },
        enforcementPoint: { issuer: 'development', subject: server },
      },
    });
    expect(record?.body).not.toContain(token);
    const entries = await rowsOf<{ body: string }>(
      mayfly.database.adminUrl,
      `SELECT body FROM audit_entry WHERE type = 'operations.decided' AND body LIKE '%${text(decisionId)}%'`,
    );
    expect(entries).toHaveLength(1);
    const { decisions, digest } = JSON.parse(entries[0]?.body ?? '{}') as { decisions: string[]; digest: string };
    const bodies = await rowsOf<{ id: string; body: string }>(
      mayfly.database.adminUrl,
      `SELECT id, body FROM decision WHERE id IN (${decisions.map((one) => `'${one}'`).join()})`,
    );
    const hash = createHash('sha256');
    for (const one of decisions) hash.update(`${bodies.find((row) => row.id === one)?.body ?? ''}\n`);
    expect(hash.digest('hex')).toBe(digest);
  });

  it('a denial has an entry of its own, which names the enforcement point and not the token', async () => {
    const { token } = await taskOf('free');
    const { decisionId } = (await authorize({ token, ...read }, 'mail')).body;
    const entry = await until('the entry is written', 10, async () => {
      const rows = await rowsOf<{ body: string }>(
        mayfly.database.adminUrl,
        `SELECT body FROM audit_entry WHERE type = 'operation.denied' AND body LIKE '%${text(decisionId)}%'`,
      );
      return rows[0]?.body;
    });
    expect(JSON.parse(entry)).toMatchObject({
      ...{
        control: 'task-token',
        token: 'foreign',
        operation: 'cases.read',
        actor: { kind: 'workload', subject: 'mail' },
      },
    });
    expect(entry).not.toContain(token);
  });
});
