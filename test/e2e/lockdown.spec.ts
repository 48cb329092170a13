import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId } from '@mayfly/kernel';
import { startTestBroker, type TestAnswer, type TestBroker } from '../support/broker.js';
import { runCli } from '../support/cli.js';
import { postForm } from '../support/form.js';
import { giveBack } from '../support/give-back.js';
import { rowsOf } from '../support/rows.js';
import { openTransaction } from '../support/target.js';
import { grant, READ_EMEA, secretOf } from '../support/tasks.js';
import { until } from '../support/until.js';

const AGENT = 'support-agent';
const REASON = 'a token was seen in a public log';

/** Two replicas: the second one learns of a lockdown by polling. */
let replicas: readonly [TestBroker, TestBroker];
beforeAll(async () => {
  const one = await startTestBroker();
  replicas = [one, await startTestBroker({ beside: one })];
});
afterAll(async () => {
  await giveBack(replicas[0]);
  for (const replica of [...replicas].reverse()) await replica.stop();
});

const operator = (name = 'ada'): string => replicas[0].personToken('operator', name);
const engage = (scope: object, query = '', token = operator()): Promise<TestAnswer> =>
  replicas[0].send(`POST /lockdowns${query}`, { token, body: { scope, reason: REASON } });
const release = (id: unknown, name: string, reason = 'the token is dead'): Promise<TestAnswer> =>
  replicas[1].send(`POST /lockdowns/${String(id)}/release`, { token: operator(name), body: { reason } });
const view = (id: unknown): Promise<TestAnswer> =>
  replicas[1].send(`GET /lockdowns/${String(id)}`, { token: replicas[1].personToken('auditor') });
const ask = (replica: TestBroker, body: object = READ_EMEA, headers = {}): Promise<TestAnswer> =>
  replica.send('POST /tasks', { token: replica.agentToken(AGENT), body, headers });
const audited = async (type: string) =>
  (
    await rowsOf<{ body: string }>(
      replicas[0].database.adminUrl,
      `SELECT body FROM audit_entry WHERE type = '${type}' ORDER BY batch, place`,
    )
  ).map(({ body }) => JSON.parse(body) as Record<string, unknown>);

async function untilDead(id: unknown): Promise<TestAnswer> {
  const dead = until('every lease of the lockdown is dead', 45, async () => {
    const answer = await view(id);
    const { state, progress } = answer.body as { state: string; progress: { revoking: number } };
    return state !== 'engaging' && progress.revoking === 0 ? answer : undefined;
  });
  return dead.catch(async (cause: unknown) => {
    const token = replicas[1].personToken('auditor');
    const { body } = await replicas[1].send('GET /leases?overdue=true', { token });
    throw new Error(`still alive: ${JSON.stringify(body)}`, { cause });
  });
}

async function releaseByTwo(id: unknown): Promise<void> {
  await untilDead(id);
  expect(await release(id, 'ada')).toMatchObject({ status: 202, body: { state: 'release_requested' } });
  expect(await release(id, 'grace')).toMatchObject({ status: 200, body: { state: 'released' } });
  await untilGranting();
}

/** Waits until both replicas know of a release: the one that did not make it polls. */
async function untilGranting(): Promise<void> {
  await until('both replicas grant again', 10, async () => {
    const dryRun = (replica: TestBroker) =>
      replica.send('POST /tasks?dryRun=true', { token: replica.agentToken(AGENT), body: READ_EMEA });
    return (await Promise.all(replicas.map(dryRun))).every(({ body }) => body.wouldGrant === true);
  });
}

const denial = { status: 403, body: { type: 'urn:mayfly:problem:policy_denied', control: 'lockdown' } };

describe('a lockdown of an agent', () => {
  it('a lockdown of an agent denies everything at once, at both replicas, and ends its open sessions', async () => {
    const key = { 'idempotency-key': 'before-the-lockdown' };
    const granted = await ask(replicas[0], READ_EMEA, key);
    const task = await grant(replicas[0], replicas[0].agentToken(AGENT));
    const session = await openTransaction(secretOf(task, 'db', 'url'));
    const token = secretOf(task, 'api', 'token');
    const introspect = (replica: TestBroker) => postForm(`${replica.url}/oauth/introspect`, operator(), { token });
    expect(JSON.parse((await introspect(replicas[1])).text)).toMatchObject({ active: true });

    const answer = await engage({ kind: 'agent', name: AGENT });
    expect(answer).toMatchObject({
      status: 201,
      body: { scope: { kind: 'agent', name: AGENT }, reason: REASON, engagedBy: { kind: 'person', subject: 'ada' } },
    });
    expect(answer.headers.get('location')).toBe(`/lockdowns/${answer.body.id as string}`);
    for (const replica of replicas) {
      expect(await ask(replica)).toMatchObject(denial);
      expect(JSON.parse((await introspect(replica)).text)).toEqual({ active: false });
      for (const step of ['renew', 'heartbeat'])
        expect(
          await replica.send(`POST /tasks/${task.id}/${step}`, { token: replica.agentToken(AGENT), body: {} }),
        ).toMatchObject(denial);
      const replayed = await ask(replica, READ_EMEA, key);
      expect(replayed).toMatchObject({ body: { id: granted.body.id } });
      expect(JSON.stringify(replayed.body)).not.toContain('secret');
    }
    await session.ended;
    const dead = await untilDead(answer.body.id);
    expect(dead.body).toMatchObject({
      state: 'engaged',
      progress: { matched: 4, revoked: 4, revoking: 0, abandoned: 0, oldestSeconds: null },
    });
    expect(await replicas[0].send(`GET /tasks/${task.id}`, { token: operator() })).toMatchObject({
      body: { state: 'revoked', endCause: 'lockdown', lockdown: answer.body.id },
    });
    await releaseByTwo(answer.body.id);
    for (const replica of replicas) expect(await ask(replica)).toMatchObject({ status: 201 });
  });

  it('a lockdown of an agent is audited with everybody who did something', async () => {
    const engaged = await audited('lockdown.engaged');
    expect(engaged.at(-1)).toMatchObject({
      ...{ scope: { kind: 'agent', name: AGENT }, reason: REASON },
      actor: { kind: 'person', subject: 'ada' },
    });
    expect((await audited('lockdown.release-requested')).at(-1)).toMatchObject({ actor: { subject: 'ada' } });
    expect((await audited('lockdown.released')).at(-1)).toMatchObject({ actor: { subject: 'grace' } });
    const denied = await audited('task.denied');
    expect(denied.some(({ control }) => control === 'lockdown')).toBe(true);
  });
});

describe('other scopes', () => {
  it.each([
    { kind: 'template', name: 'support-read-cases' },
    { kind: 'owner', name: 'support-platform' },
    { kind: 'runtime', name: 'developer-laptop' },
    { kind: 'issuer', name: 'development' },
    { kind: 'connection', name: 'crm' },
    { kind: 'all' },
  ])('a lockdown of %j ends a task under it and denies the next one', async (scope) => {
    const task = await grant(replicas[1], replicas[1].agentToken(AGENT));
    const dryRun = await engage(scope, '?dryRun=true');
    expect(dryRun).toMatchObject({ status: 200, body: { dryRun: true, scope } });
    expect(dryRun.body.matched).toBeGreaterThanOrEqual(2);
    expect(await ask(replicas[0])).toMatchObject({ status: 201 });
    const { status, body } = await engage(scope);
    expect(status).toBe(201);
    expect(await ask(replicas[1])).toMatchObject(denial);
    await untilDead(body.id);
    expect(await replicas[0].send(`GET /tasks/${task.id}`, { token: operator() })).toMatchObject({
      body: { endCause: 'lockdown' },
    });
    await releaseByTwo(body.id);
    expect(await ask(replicas[1])).toMatchObject({ status: 201 });
  });

  it('a lockdown of an owner cannot be left by a change of the owner', async () => {
    const { body } = await engage({ kind: 'owner', name: 'support-platform' });
    const token = replicas[0].personToken('platform');
    const { name, labels, spec } = (await replicas[0].send(`GET /agents/${AGENT}`, { token })).body as unknown as {
      readonly name: string;
      readonly labels: object;
      readonly spec: object;
    };
    const moved = { kind: 'Agent', metadata: { name, labels }, spec: { ...spec, owner: 'another-team' } };
    const headers = { 'if-match': '*' };
    expect(await replicas[0].send(`PUT /agents/${AGENT}`, { token, headers, body: moved })).toMatchObject(denial);
    expect(await ask(replicas[1])).toMatchObject(denial);
    await releaseByTwo(body.id);
  });

  it('a lockdown of one task leaves the others alone', async () => {
    const [one, other] = [
      await grant(replicas[0], replicas[0].agentToken(AGENT)),
      await grant(replicas[0], replicas[0].agentToken(AGENT)),
    ];
    const { body } = await engage({ kind: 'task', name: one.id });
    const beat = (id: string) =>
      replicas[0].send(`POST /tasks/${id}/heartbeat`, { token: replicas[0].agentToken(AGENT) });
    expect(await beat(one.id)).toMatchObject(denial);
    expect(await beat(other.id)).toMatchObject({ status: 200 });
    await releaseByTwo(body.id);
  });
});

describe('what is refused', () => {
  it.each([
    [{ kind: 'agent', name: 'suport-agent' }, 404, 'not_found'],
    [{ kind: 'task', name: newId('tsk') }, 404, 'not_found'],
    [{ kind: 'owner', name: 'nobody' }, 404, 'not_found'],
    [{ kind: 'all', name: 'x' }, 400, 'invalid_request'],
    [{ kind: 'agent' }, 400, 'invalid_request'],
    [{ kind: 'agent', name: '' }, 400, 'invalid_request'],
    [{ kind: 'planet', name: 'x' }, 400, 'invalid_request'],
    [{}, 400, 'invalid_request'],
  ])('a lockdown of %j is refused with %i, also as a dry run, and changes nothing', async (scope, status, code) => {
    const before = await audited('lockdown.engaged');
    expect(await engage(scope)).toMatchObject({ status, body: { type: `urn:mayfly:problem:${code}` } });
    expect(await engage(scope, '?dryRun=true')).toMatchObject({ status, body: { type: `urn:mayfly:problem:${code}` } });
    expect(await audited('lockdown.engaged')).toHaveLength(before.length);
  });

  it('a lockdown of the issuer that vouches for the caller is refused and audited', async () => {
    const answer = await engage({ kind: 'issuer', name: 'development-staff' });
    expect(answer).toMatchObject({
      status: 403,
      body: { type: 'urn:mayfly:problem:policy_denied', control: 'lockdown-of-oneself' },
    });
    expect((await audited('lockdown.refused')).at(-1)).toMatchObject({ control: 'lockdown-of-oneself' });
  });

  it.each(['', '   ', 'x'.repeat(501)])('a lockdown with the reason %j is refused', async (reason) => {
    const body = { scope: { kind: 'all' }, reason };
    expect(await replicas[0].send('POST /lockdowns', { token: operator(), body })).toMatchObject({ status: 400 });
  });

  it.each(['platform', 'auditor', 'agent'] as const)('a lockdown by a caller of role %s is forbidden', async (role) => {
    const token = role === 'agent' ? replicas[0].agentToken(AGENT) : replicas[0].personToken(role);
    expect(await engage({ kind: 'all' }, '', token)).toMatchObject({
      status: 403,
      body: { type: 'urn:mayfly:problem:forbidden' },
    });
  });

  it('a release needs two persons, once, and a reason', async () => {
    const { body } = await engage({ kind: 'connection', name: 'crm' });
    expect(await engage({ kind: 'connection', name: 'crm' }, '', operator('grace'))).toMatchObject({
      status: 200,
      body: { id: body.id, engagedBy: { subject: 'ada' } },
    });
    await untilDead(body.id);
    expect(await release(body.id, 'ada', ' ')).toMatchObject({ status: 400 });
    expect(await release(body.id, 'ada')).toMatchObject({ status: 202 });
    expect(await release(body.id, 'ada')).toMatchObject({ status: 403, body: { control: 'lockdown-release' } });
    expect((await audited('lockdown.refused')).at(-1)).toMatchObject({
      control: 'lockdown-release',
      lockdown: body.id,
    });
    expect(await ask(replicas[0])).toMatchObject(denial);
    expect(await release(body.id, 'grace')).toMatchObject({
      status: 200,
      body: { state: 'released', releaseRequested: { by: { subject: 'ada' } }, releasedBy: { subject: 'grace' } },
    });
    await untilGranting();
    expect(await release(body.id, 'linus')).toMatchObject({
      status: 409,
      body: { type: 'urn:mayfly:problem:conflict' },
    });
    expect(await release(newId('lkd'), 'ada')).toMatchObject({ status: 404 });
    expect(await release('lkd_1', 'ada')).toMatchObject({ status: 400 });
  });
});

describe('the command line', () => {
  const mayfly = (name: string, ...words: string[]) =>
    runCli({ MAYFLY_URL: replicas[0].url, MAYFLY_TOKEN: operator(name) }, ...words);
  const shown = (stdout: string) => JSON.parse(stdout) as Record<string, unknown>;

  it('the command line engages, watches, lists and releases a lockdown', async () => {
    await grant(replicas[0], replicas[0].agentToken(AGENT));
    const scope = ['agent', AGENT];
    const dry = await mayfly('ada', 'lockdown', 'engage', ...scope, '--reason', REASON, '--dry-run');
    expect(shown(dry.stdout)).toMatchObject({ dryRun: true });
    const engaged = await mayfly('ada', 'lockdown', 'engage', ...scope, '--reason', REASON);
    const id = shown(engaged.stdout).id as string;
    await untilDead(id);
    const watched = await mayfly('ada', 'lockdown', 'watch', id);
    expect(shown(watched.stdout)).toMatchObject({ id, state: 'engaged', progress: { revoking: 0 } });
    const listed = await mayfly('ada', 'lockdown', 'list', '--in-force');
    expect(shown(listed.stdout).items).toMatchObject([{ id }]);
    for (const [name, state] of [
      ['ada', 'release_requested'],
      ['grace', 'released'],
    ] as const) {
      const released = await mayfly(name, 'lockdown', 'release', id, '--reason', 'over');
      expect(shown(released.stdout)).toMatchObject({ state });
    }
  });

  it('the command line says which kinds there are', async () => {
    const { code, stderr } = await mayfly('ada', 'lockdown', 'engage', 'planet', 'x', '--reason', REASON);
    expect(code).not.toBe(0);
    expect(stderr).toContain('use one of task, tree, agent, template, owner, runtime, issuer, connection, all');
  });
});
