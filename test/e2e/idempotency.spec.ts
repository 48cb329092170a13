import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestBroker, type TestAnswer, type TestBroker } from '../support/broker.js';
import { agentDocument } from '../support/documents.js';
import { rowsOf } from '../support/rows.js';
import { starterWith } from '../support/starter.js';
import { READ_EMEA, secretOf, taskIn } from '../support/tasks.js';
import { until } from '../support/until.js';

let first: TestBroker;
let second: TestBroker;
let sql: <Row extends object>(statement: string, values?: readonly unknown[]) => Promise<Row[]>;

beforeAll(async () => {
  const starter = await starterWith(agentDocument('other-agent'));
  first = await startTestBroker(starter);
  second = await startTestBroker({ ...starter, beside: first });
  sql = (statement, values) => rowsOf(first.database.adminUrl, statement, values);
});
afterAll(async () => {
  await second.stop();
  await first.stop();
});

const post = (door: TestBroker, key: string, body: unknown, token = first.agentToken('support-agent')) =>
  door.send('POST /tasks', { token, body, headers: { 'idempotency-key': key } });
const about = (purpose: string) => ({ ...READ_EMEA, purpose });
const tasksAbout = (purpose: string) => sql<{ id: string }>('SELECT id FROM task WHERE purpose = $1', [purpose]);

describe('50 identical posts with one key over two replicas', () => {
  let answers: TestAnswer[];
  beforeAll(async () => {
    answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => post(n % 2 === 0 ? first : second, 'key-50', about('fifty'))),
    );
  });

  it('50 identical posts with one key over two replicas mint once', async () => {
    const [task, ...more] = await tasksAbout('fifty');
    expect(more).toEqual([]);
    const leases = await sql('SELECT FROM lease WHERE task_id = $1', [task?.id]);
    expect(leases).toHaveLength(2);
  });

  it('50 identical posts with one key over two replicas are answered with the one task, or with a request to come again', () => {
    const granted = answers.filter(({ status }) => status === 201);
    const waiting = answers.filter(({ status }) => status !== 201);
    expect(granted.length).toBeGreaterThan(0);
    expect(new Set(granted.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    for (const { status, headers, body } of waiting) {
      expect({ status, type: body.type }).toEqual({ status: 409, type: 'urn:mayfly:problem:request_in_flight' });
      expect(headers.get('retry-after')).toBe('1');
    }
  });

  it('50 identical posts with one key over two replicas are answered the same, secrets included, when the first is done', async () => {
    const granted = answers.find(({ status }) => status === 201);
    for (const door of [first, second]) {
      const again = await post(door, 'key-50', about('fifty'));
      expect(again).toMatchObject({ status: 201, body: granted?.body });
      const url = secretOf(taskIn(again), 'db', 'url');
      expect(await rowsOf(url, 'SELECT count(*)::int FROM emea.cases')).toEqual([{ count: 3 }]);
    }
  });
});

describe('a key that was used', () => {
  it('a key that was used is refused for another body', async () => {
    await post(first, 'key-body', about('one thing'));
    const answer = await post(second, 'key-body', about('another thing'));
    expect(answer).toMatchObject({ status: 422, body: { type: 'urn:mayfly:problem:idempotency_key_reused' } });
    expect(await tasksAbout('another thing')).toEqual([]);
  });

  it.each([
    ['another agent', 'other-agent'],
    ['another identity of the same agent', 'code-agent/ci'],
  ])('a key that was used is a key of its own for %s', async (name, subject) => {
    const body = subject.startsWith('code')
      ? { template: 'code-write-repo', parameters: { repository: 'docs' }, purpose: name }
      : about(name);
    const owner = subject.startsWith('code') ? 'code-agent' : 'support-agent';
    const mine = await post(first, 'key-shared', body, first.agentToken(owner));
    const theirs = await post(second, 'key-shared', body, first.agentToken(subject));
    expect([mine.status, theirs.status]).toEqual([201, 201]);
    expect(taskIn(theirs).id).not.toBe(taskIn(mine).id);
    expect(await tasksAbout(name)).toHaveLength(2);
  });

  it('a key that was used is free again after a refusal', async () => {
    const wrong = { ...about('mars'), parameters: { region: 'mars' } };
    expect(await post(first, 'key-refused', wrong)).toMatchObject({ status: 422 });
    expect(await post(second, 'key-refused', about('after a refusal'))).toMatchObject({ status: 201 });
  });

  it.each(['', 'two words', 'é', 'x'.repeat(256)])(
    'a key that was used is refused when it is no key: %j',
    async (key) => {
      const answer = await first.send('POST /tasks', {
        token: first.agentToken('support-agent'),
        body: about('no key'),
        headers: { 'idempotency-key': key },
      });
      expect(answer).toMatchObject({ status: 400 });
      expect(await tasksAbout('no key')).toEqual([]);
    },
  );
});

describe('a key whose task has ended', () => {
  it.each(['complete', 'fail'])(
    'a key whose task has ended answers the task as it is now and without its secrets: %s',
    async (step) => {
      const token = first.agentToken('support-agent');
      const granted = taskIn(await post(first, `key-${step}`, about(step)));
      const body = step === 'fail' ? { body: { reason: 'withdrawn' } } : {};
      const ended = await first.send(`POST /tasks/${granted.id}/${step}`, { token, ...body });
      const again = await post(second, `key-${step}`, about(step));
      expect(again).toMatchObject({ status: 201, body: ended.body });
      expect(JSON.stringify(again.body)).not.toContain('"secret"');
      expect(await tasksAbout(step)).toHaveLength(1);
    },
  );
});

describe('a key whose replay window is over', () => {
  it('a key whose replay window is over answers the task without its secrets, and no sealed answer is left', async () => {
    const granted = await post(first, 'key-over', about('too late'));
    const sealed = () =>
      sql<{ sealed: boolean }>(
        `SELECT sealed_answer IS NOT NULL AS sealed FROM idempotency_key WHERE key = 'key-over'`,
      );
    expect(await sealed()).toEqual([{ sealed: true }]);
    await sql(`UPDATE idempotency_key SET replay_until = now() WHERE key = 'key-over'`);
    const again = await post(second, 'key-over', about('too late'));
    expect(again.status).toBe(201);
    expect(taskIn(again)).toMatchObject({ id: taskIn(granted).id, state: 'active' });
    expect(JSON.stringify(again.body)).not.toContain('"secret"');
    await until('the answer is wiped', 15, async () => (await sealed())[0]?.sealed === false);
  });
});
