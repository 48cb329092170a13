import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '@mayfly/kernel';
import pg from 'pg';
import { startTestBroker, type TestBroker } from '../support/broker.js';
import { agentDocument } from '../support/declared.js';
import { rowsOf } from '../support/rows.js';

let broker: TestBroker;
let operator: string;
beforeAll(async () => {
  broker = await startTestBroker();
  operator = broker.personToken('operator');
});
afterAll(() => broker.stop());

function send(route: string, body?: JsonObject) {
  return broker.send(route, { token: broker.personToken('platform'), body });
}

function step(name: string, word: string) {
  return broker.send(`POST /agents/${name}/${word}`, { token: operator });
}

/** Registers an agent and takes it along; answers its name. */
async function agentAfter(name: string, ...words: readonly string[]): Promise<string> {
  expect(await send('POST /agents', agentDocument(name))).toMatchObject({ status: 201 });
  for (const word of words) expect(await step(name, word)).toMatchObject({ status: 200 });
  return name;
}

function ask(agent: string) {
  const body = { template: 'support-read-cases', parameters: { region: 'emea' }, purpose: 'answer ticket 4711' };
  return broker.send('POST /tasks', { token: broker.agentToken(agent), body });
}

async function untilNoLeaseLives(agent: string): Promise<void> {
  for (const deadline = Date.now() + 20_000; ;) {
    const [row] = await rowsOf<{ alive: number }>(
      broker.database.adminUrl,
      'SELECT count(*)::int AS alive FROM lease WHERE agent_name = $1 AND due_at IS NOT NULL',
      [agent],
    );
    if (row?.alive === 0) return;
    if (Date.now() > deadline) throw new Error(`${String(row?.alive)} leases of ${agent} are still alive`);
  }
}

describe('the life of an agent', () => {
  it.each([
    [[], 'activate', 200, 'active'],
    [[], 'suspend', 409, 'registered'],
    [[], 'retire', 200, 'retired'],
    [['activate'], 'activate', 200, 'active'],
    [['activate'], 'suspend', 200, 'suspended'],
    [['activate'], 'retire', 200, 'retired'],
    [['activate', 'suspend'], 'activate', 200, 'active'],
    [['activate', 'suspend'], 'suspend', 200, 'suspended'],
    [['activate', 'suspend'], 'retire', 200, 'retired'],
    [['retire'], 'activate', 409, 'retired'],
    [['retire'], 'suspend', 409, 'retired'],
    [['retire'], 'retire', 200, 'retired'],
  ] as const)('an agent after %j takes the step %s with %i and is %s', async (before, word, status, state) => {
    const name = await agentAfter(`life-${before.join('-')}-${word}`.replace('--', '-'), ...before);
    const { body } = await send(`GET /agents/${name}`);
    const answer = await step(name, word);
    expect(answer.status).toBe(status);
    const after = (await send(`GET /agents/${name}`)).body;
    expect(after).toMatchObject({ state, id: body.id, spec: body.spec });
    expect(after.revision).toBe(Number(body.revision) + (after.state === body.state ? 0 : 1));
  });

  it('an agent keeps the name of a retired agent taken', async () => {
    const name = await agentAfter('gone', 'retire');
    expect(await send('POST /agents', agentDocument(name))).toMatchObject({ status: 409 });
  });

  it.each(['activate', 'suspend', 'retire'])('only the platform team and operators may %s an agent', async (word) => {
    const name = await agentAfter(`guarded-${word}`);
    for (const token of [
      broker.personToken('auditor'),
      broker.personToken('approver'),
      broker.agentToken('support-agent'),
    ]) {
      expect(await broker.send(`POST /agents/${name}/${word}`, { token })).toMatchObject({ status: 403 });
    }
    expect(await step('nobody', word)).toMatchObject({ status: 404 });
  });

  it.each([[], ['activate', 'suspend'], ['retire']])(
    'an agent grants nothing, and shows nothing, after %j',
    async (...words) => {
      const name = await agentAfter(`idle-${words.join('-')}x`, ...words);
      for (const route of ['POST /tasks', 'GET /me']) {
        const answer =
          route === 'GET /me' ? await broker.send(route, { token: broker.agentToken(name) }) : await ask(name);
        expect(answer).toMatchObject({ status: 403, body: { control: 'agent-lifecycle' } });
        expect(answer.body.credentials).toBeUndefined();
      }
    },
  );
});

describe('an agent that is stopped', () => {
  it.each([
    ['suspend', 'agent_suspended'],
    ['retire', 'agent_retired'],
  ])('an agent that is stopped by %s loses the sessions that it has open', async (word, cause) => {
    const name = await agentAfter(`stopped-by-${word}`, 'activate');
    const task = (await ask(name)).body;
    const [{ secret }] = task.credentials as [{ secret: { url: string } }];
    const session = new pg.Client({ connectionString: secret.url });
    const ended = new Promise((resolve) => session.on('error', resolve)); // the first of two errors counts
    await session.connect();
    expect((await session.query('SELECT FROM emea.cases')).rowCount).toBeGreaterThan(0);

    expect(await step(name, word)).toMatchObject({ status: 200 });
    expect(await ended).toMatchObject({ code: '57P01' });
    await untilNoLeaseLives(name);
    await expect(rowsOf(secret.url, 'SELECT 1')).rejects.toThrow();
    const seen = await broker.send(`GET /tasks/${task.id as string}`, { token: operator });
    expect(seen.body).toMatchObject({ state: 'revoked', endCause: cause });
  });

  it('an agent that is stopped has no living lease left, however many requests were under way', async () => {
    const name = await agentAfter('busy', 'activate');
    const asked = Array.from({ length: 24 }, () => ask(name));
    await Promise.race(asked);
    expect(await step(name, 'suspend')).toMatchObject({ status: 200 });
    const answers = await Promise.all(asked);
    expect(answers.some(({ status }) => status === 201)).toBe(true);
    await untilNoLeaseLives(name);
    const states = await rowsOf(
      broker.database.adminUrl,
      'SELECT DISTINCT state, end_cause FROM task WHERE agent_name = $1 ORDER BY state',
      [name],
    );
    // On a busy machine the target may not answer a request in time: that task has failed, and its request was answered so.
    const failed = answers.some(({ status }) => status >= 500)
      ? [{ state: 'failed', end_cause: 'issuance_failed' }]
      : [];
    expect(states).toEqual([...failed, { state: 'revoked', end_cause: 'agent_suspended' }]);
    expect(await ask(name)).toMatchObject({ status: 403 });
  });

  it('the stop of an agent is in the audit with its actor, before its effects', async () => {
    const rows = await rowsOf<{ type: string; body: string }>(
      broker.database.adminUrl,
      `SELECT type, body FROM audit_entry WHERE agent = 'stopped-by-suspend' AND type ~ '^(agent|task.end)' ORDER BY batch, place`,
    );
    const actor = { kind: 'person', issuer: 'development-staff', subject: 'one-operator' };
    expect(rows.map(({ type, body }) => [type, JSON.parse(body) as JsonObject])).toEqual([
      ['agent.activated', expect.objectContaining({ from: 'registered', to: 'active', actor })],
      ['agent.suspended', expect.objectContaining({ from: 'active', to: 'suspended', actor })],
      ['task.ending', expect.objectContaining({ cause: 'agent_suspended', actor })],
      ['task.ended', expect.objectContaining({ state: 'revoked' })],
    ]);
  });
});
