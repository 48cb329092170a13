import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestBroker, type TestBroker } from '../support/broker.js';
import { templateDocument } from '../support/documents.js';
import { postForm } from '../support/form.js';
import { rowsOf } from '../support/rows.js';
import { READ_CASES, starterWith } from '../support/starter.js';
import { leaseRoles, openTransaction, roleOf, validUntil } from '../support/target.js';
import { grant, leaseIdOf, READ_EMEA, secretOf, statesOf, taskIn, type TaskBody } from '../support/tasks.js';
import { until } from '../support/until.js';

let mayfly: TestBroker;
let targetUrl: string;
const agent = () => mayfly.agentToken('support-agent');

beforeAll(async () => {
  const watched = templateDocument('watched', { heartbeat: { timeoutSeconds: 5 }, credentials: READ_CASES });
  const starter = await starterWith(watched);
  targetUrl = starter.targetUrl;
  mayfly = await startTestBroker(starter);
});
afterAll(() => mayfly.stop());

async function isActive(token: string): Promise<boolean> {
  const server = mayfly.agentToken('resource-server/cases');
  const { text } = await postForm(`${mayfly.url}/oauth/introspect`, server, { token });
  return (JSON.parse(text) as { active: boolean }).active;
}

const after = async (task: TaskBody, step: string, token = agent()) =>
  taskIn(await mayfly.send(`POST /tasks/${task.id}/${step}`, { token }));

describe('a granted task', () => {
  let task: TaskBody;
  let url: string;
  beforeAll(async () => {
    task = await grant(mayfly, agent(), { ...READ_EMEA, ttlSeconds: 600 });
    url = secretOf(task, 'db', 'url');
  });
  afterAll(() => after(task, 'complete'));

  it('a granted task reads its three tables', async () => {
    for (const table of ['customers', 'cases', 'case_notes']) {
      expect((await rowsOf(url, `SELECT * FROM emea.${table}`)).length).toBeGreaterThan(0);
    }
  });

  it.each([
    'SELECT * FROM hr.salaries',
    'SELECT * FROM apac.customers',
    'SELECT * FROM apac.cases',
    'DELETE FROM emea.cases',
    "UPDATE emea.cases SET status = 'closed'",
    'CREATE TABLE emea.mine ()',
    'CREATE ROLE another',
  ])('a granted task is refused at the target: %s', async (statement) => {
    await expect(rowsOf(url, statement)).rejects.toMatchObject({ code: '42501' });
  });

  it('a granted task has a token that introspection shows alive', async () => {
    expect(await isActive(secretOf(task, 'api', 'token'))).toBe(true);
  });

  it('a granted task shows its secrets in the answer that granted it and never again', async () => {
    const { body } = await mayfly.send(`GET /tasks/${task.id}`, { token: agent() });
    expect(body).toMatchObject({ id: task.id, state: 'active' });
    const text = JSON.stringify(body);
    expect(text).not.toContain('"secret"');
    for (const [name, member] of [
      ['db', 'password'],
      ['api', 'token'],
    ] as const) {
      expect(text).not.toContain(secretOf(task, name, member));
    }
  });

  it.each([
    ['another agent', () => mayfly.agentToken('code-agent'), 404],
    ['its own agent', agent, 200],
    ['an operator', () => mayfly.personToken('operator'), 200],
    ['an auditor', () => mayfly.personToken('auditor'), 200],
    ['the platform team', () => mayfly.personToken('platform'), 403],
  ])('a granted task is seen by %s as it should be', async (_, token, status) => {
    expect(await mayfly.send(`GET /tasks/${task.id}`, { token: token() })).toMatchObject({ status });
  });

  it.each(['complete', 'renew', 'heartbeat'])(
    'a granted task is not there for another agent that wants to %s it',
    async (step) => {
      const answer = await mayfly.send(`POST /tasks/${task.id}/${step}`, { token: mayfly.agentToken('code-agent') });
      expect(answer).toMatchObject({ status: 404, body: { detail: `there is no task \`${task.id}\`` } });
    },
  );
});

describe('the end of a task', () => {
  it.each([
    ['complete', undefined, 'completed'],
    ['fail', { reason: 'the ticket was withdrawn' }, 'failed'],
  ])(
    'the end of a task by %s ends the open session, the role and the token before it is answered',
    async (step, body, state) => {
      const task = await grant(mayfly, agent());
      const session = await openTransaction(secretOf(task, 'db', 'url'));
      const asked = performance.now();
      const call = { token: agent(), ...(body === undefined ? {} : { body }) };
      const answer = await mayfly.send(`POST /tasks/${task.id}/${step}`, call);
      const answered = performance.now();
      expect(answer).toMatchObject({ status: 200, body: { state, endCause: state } });
      expect(statesOf(taskIn(answer))).toEqual({ db: 'revoked', api: 'revoked' });
      const ended = await session.ended;
      console.log(`${step}: session dead ${ms(ended - asked)} after the request, answer after ${ms(answered - asked)}`);
      expect(await leaseRoles(targetUrl)).not.toContain(roleOf(leaseIdOf(task, 'db')));
      await expect(rowsOf(secretOf(task, 'db', 'url'), 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
      expect(await isActive(secretOf(task, 'api', 'token'))).toBe(false);
    },
  );

  it('the end of a task by an operator is a revocation, and by anybody else is refused', async () => {
    const task = await grant(mayfly, agent());
    for (const token of [agent(), mayfly.personToken('auditor'), mayfly.personToken('platform')]) {
      expect(await mayfly.send(`DELETE /tasks/${task.id}`, { token })).toMatchObject({ status: 403 });
    }
    const answer = await mayfly.send(`DELETE /tasks/${task.id}`, { token: mayfly.personToken('operator') });
    expect(answer).toMatchObject({ status: 200, body: { state: 'revoked', endCause: 'revoked' } });
    expect(await leaseRoles(targetUrl)).not.toContain(roleOf(leaseIdOf(task, 'db')));
  });

  it('the end of a task is recorded once: what comes later changes nothing', async () => {
    const task = await grant(mayfly, agent());
    await after(task, 'complete');
    const answer = await mayfly.send(`DELETE /tasks/${task.id}`, { token: mayfly.personToken('operator') });
    expect(answer).toMatchObject({ status: 200, body: { state: 'completed', endCause: 'completed' } });
    for (const step of ['renew', 'heartbeat']) {
      const late = await mayfly.send(`POST /tasks/${task.id}/${step}`, { token: agent() });
      expect(late).toMatchObject({ status: 409, body: { detail: expect.stringContaining('has ended: completed') } });
    }
  });

  it.each<[string, object, number | undefined]>([
    ['says how long it waits for a sign of life', { template: 'watched', purpose: 'work for long' }, 5],
    ['says nothing of signs of life that its template does not ask for', READ_EMEA, undefined],
  ])('a lease shows %s, in the answer that grants and in each view', async (_what, body, seconds) => {
    const task = await grant(mayfly, agent(), body);
    const { body: seen } = await mayfly.send(`GET /tasks/${task.id}`, { token: agent() });
    expect([task, seen].map(({ heartbeatTimeoutSeconds }) => heartbeatTimeoutSeconds)).toEqual([seconds, seconds]);
    await after(task, 'complete');
  });

  it('the end of a task comes by itself when heartbeats stop', async () => {
    const body = { template: 'watched', purpose: 'work for long', ttlSeconds: 300 };
    const task = await grant(mayfly, agent(), body);
    const session = await openTransaction(secretOf(task, 'db', 'url'));
    expect(await after(task, 'heartbeat')).toMatchObject({ heartbeatTimeoutSeconds: 5 });
    const ended = await until('the heartbeat is missed', 17, async () => {
      const seen = taskIn(await mayfly.send(`GET /tasks/${task.id}`, { token: agent() }));
      return seen.state !== 'active' && seen;
    });
    expect(ended).toMatchObject({ state: 'revoked', endCause: 'heartbeat_lost' });
    await session.ended;
    expect(await leaseRoles(targetUrl)).not.toContain(roleOf(leaseIdOf(task, 'db')));
  });
});

describe('renewal', () => {
  it('renewal moves the deadline here and at the target, and never past the longest life of the template', async () => {
    const task = await grant(mayfly, agent(), { ...READ_EMEA, ttlSeconds: 60 });
    const role = roleOf(leaseIdOf(task, 'db'));
    const before = await validUntil(targetUrl, role);
    const token = mayfly.issuers.workloads.sign({ exp: Math.floor(Date.now() / 1000) + 3500 });
    const renew = (ttlSeconds: number) => mayfly.send(`POST /tasks/${task.id}/renew`, { token, body: { ttlSeconds } });

    const renewed = taskIn(await renew(600));
    expect(Date.parse(renewed.expiresAt)).toBeGreaterThan(Date.parse(task.expiresAt));
    expect(await validUntil(targetUrl, role)).toEqual(new Date(renewed.expiresAt));
    expect(before).toEqual(new Date(task.expiresAt));
    expect(await isActive(secretOf(renewed, 'api', 'token'))).toBe(true);

    const furthest = taskIn(await renew(1800));
    expect(furthest.expiresAt).toBe(furthest.maxExpiresAt);
    expect(Date.parse(furthest.maxExpiresAt) - Date.parse(task.createdAt)).toBe(1_800_000);
    expect((await renew(1800)).body).toMatchObject({
      expiresAt: furthest.maxExpiresAt,
      lifetime: { requestedSeconds: 1800, limitedBy: 'maximum' },
    });
    expect(await validUntil(targetUrl, role)).toEqual(new Date(furthest.maxExpiresAt));
    await after(task, 'complete');
  });
});

describe('who may ask', () => {
  it.each(['platform', 'approver', 'operator', 'auditor'] as const)(
    'a person (%s) may not ask for a task',
    async (role) => {
      const answer = await mayfly.send('POST /tasks', { token: mayfly.personToken(role), body: READ_EMEA });
      expect(answer).toMatchObject({
        status: 403,
        body: { detail: expect.stringContaining('this route is for agent') },
      });
    },
  );

  it('an agent in another runtime may not ask, and the refusal names the rule', async () => {
    const token = mayfly.agentToken('support-agent/ci');
    expect((await mayfly.send('GET /me', { token })).body).toMatchObject({ runtime: 'ci-runner' });
    const answer = await mayfly.send('POST /tasks', { token, body: READ_EMEA });
    expect(answer).toMatchObject({ status: 403, body: { control: 'runtime-boundary' } });
  });

  it('a dry run answers every control and leaves nothing behind', async () => {
    const count = () => rowsOf(mayfly.database.adminUrl, 'SELECT count(*)::int FROM task');
    const [tasks, roles] = [await count(), await leaseRoles(targetUrl)];
    const answer = await mayfly.send('POST /tasks?dryRun=true', { token: agent(), body: READ_EMEA });
    expect(answer).toMatchObject({
      status: 200,
      body: { dryRun: true, wouldGrant: true, lifetimeSeconds: expect.any(Number), credentials: [{}, {}] },
    });
    const refused = await mayfly.send('POST /tasks?dryRun=true', {
      token: mayfly.agentToken('support-agent/ci'),
      body: READ_EMEA,
    });
    expect(refused).toMatchObject({
      status: 200,
      body: {
        wouldGrant: false,
        controls: expect.arrayContaining([expect.objectContaining({ control: 'runtime-boundary', outcome: 'deny' })]),
      },
    });
    expect([await count(), await leaseRoles(targetUrl)]).toEqual([tasks, roles]);
  });
});

function ms(duration: number): string {
  return `${duration.toFixed(0)} ms`;
}
