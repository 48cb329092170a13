import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type JsonObject, newId } from '@mayfly/kernel';
import { startTestBroker, type TestAnswer, type TestBroker } from '../support/broker.js';
import { runCli } from '../support/cli.js';
import { agentDocument, templateDocument, yamlOf } from '../support/documents.js';
import { rowsOf } from '../support/rows.js';

let mayfly: TestBroker;
/** the leases, by the seconds for which they are overdue */
let leaseIds: readonly string[];

beforeAll(async () => {
  mayfly = await startTestBroker({
    documents: yamlOf(agentDocument('support-agent'), templateDocument('read-cases')),
  });
  const made: string[] = [];
  for (const seconds of [300, 200, 100]) made.push(await stuck(seconds));
  leaseIds = made;
});
afterAll(() => mayfly.stop());

async function granted(): Promise<{ taskId: string; leaseId: string }> {
  const body = { template: 'read-cases', purpose: 'answer a ticket' };
  const answer = await mayfly.send('POST /tasks', { token: mayfly.agentToken('support-agent'), body });
  expect(answer.status).toBe(201);
  const [{ leaseId }] = answer.body.credentials as unknown as [{ leaseId: string }];
  return { taskId: answer.body.id as string, leaseId };
}

const sql = (text: string): Promise<unknown> => rowsOf(mayfly.database.adminUrl, text);

/** Makes a lease whose revocation has failed for so long; the next try is in an hour. */
async function stuck(seconds: number): Promise<string> {
  const { taskId, leaseId } = await granted();
  await sql(`UPDATE task SET end_cause = 'completed', end_requested_at = now() WHERE id = '${taskId}'`);
  await sql(`UPDATE lease SET state = 'revoking', end_cause = 'completed', attempts = 3, last_error = 'no answer',
    version = version + 1, revoke_requested_at = now() - interval '${String(seconds)} seconds',
    due_at = now() + interval '1 hour' WHERE id = '${leaseId}'`);
  return leaseId;
}

const as = (role: 'operator' | 'auditor' | 'platform', route: string, body?: unknown): Promise<TestAnswer> =>
  mayfly.send(route, { token: mayfly.personToken(role), ...(body === undefined ? {} : { body }) });
const listed = async (query: string): Promise<readonly JsonObject[]> => {
  const { status, body } = await as('auditor', `GET /leases?overdue=true&${query}`);
  expect(status).toBe(200);
  return body.items as unknown as readonly JsonObject[];
};
const idsOf = (items: readonly JsonObject[]) => items.map(({ leaseId }) => leaseId);
const abandon = (leaseId: string, body: unknown = { reason: 'the server is gone' }): Promise<TestAnswer> =>
  as('operator', `POST /leases/${leaseId}/abandon`, body);

describe('GET /leases', () => {
  it('GET /leases?overdue=true lists what should be dead and is not, longest overdue first, with what to do', async () => {
    await granted();
    const items = await listed('');
    expect(idsOf(items)).toEqual(leaseIds);
    expect(items[0]).toMatchObject({
      ...{ state: 'revoking', agent: 'support-agent', name: 'api', cause: 'completed', purpose: 'answer a ticket' },
      ...{ attempts: 3, lastError: 'no answer', nextTryAt: expect.any(String), overdueSince: expect.any(String) },
      help: expect.stringContaining(`POST /leases/${leaseIds[0]!}/abandon`),
    });
  });

  it.each([
    ['agent=support-agent', 3],
    ['agent=idle-agent', 0],
    ['template=read-cases&provider=signed-token', 3],
    ['provider=postgres', 0],
    ['connection=elsewhere', 0],
    ['abandoned=true', 0],
  ])('GET /leases?overdue=true filters by %s', async (query, count) => {
    expect(await listed(query)).toHaveLength(count);
  });

  it('GET /leases?overdue=true is read page by page', async () => {
    const { body } = await as('operator', 'GET /leases?overdue=true&limit=2');
    expect(idsOf(body.items as unknown as JsonObject[])).toEqual(leaseIds.slice(0, 2));
    expect(idsOf(await listed(`limit=2&cursor=${body.nextCursor as string}`))).toEqual(leaseIds.slice(2));
  });

  it.each([
    '',
    '?overdue=false',
    '?overdue=true&abandoned=false',
    '?overdue=true&state=revoking',
    '?overdue=true&limit=0',
  ])('GET /leases%s answers 400', async (query) => {
    expect((await as('operator', `GET /leases${query}`)).status).toBe(400);
  });

  it('GET /leases without `overdue` names the route that lists all leases', async () => {
    expect((await as('operator', 'GET /leases')).body).toMatchObject({
      ...{ type: 'urn:mayfly:problem:invalid_request', errors: [{ pointer: '/overdue' }] },
      detail: expect.stringContaining('`GET /issuances` lists all leases'),
    });
  });
});

describe('POST /leases/:id/abandon', () => {
  it('an abandoned lease is abandoned everywhere, revoked nowhere, and ends its task', async () => {
    const leaseId = await stuck(10);
    const answer = await abandon(leaseId, { reason: 'the server of password=hunter2hunter2 is gone' });
    expect(answer).toMatchObject({ status: 200, body: { leaseId, state: 'abandoned' } });
    expect(JSON.stringify(answer.body)).not.toContain('hunter2');
    expect(idsOf(await listed(''))).not.toContain(leaseId);
    const [item] = await listed('abandoned=true');
    expect(item).toMatchObject({
      leaseId,
      state: 'abandoned',
      lastError: 'no answer',
      endedAt: answer.body.abandonedAt,
    });
    expect(item).not.toHaveProperty('nextTryAt');
    const history = await as('auditor', 'GET /issuances?state=abandoned');
    expect(history.body.items).toMatchObject([{ leaseId, state: 'abandoned' }]);
    const taskId = answer.body.taskId as string;
    const story = await as('auditor', `GET /tasks/${taskId}/timeline`);
    const entries = story.body.items as unknown as readonly JsonObject[];
    expect(entries.slice(-2)).toMatchObject([
      { type: 'lease.abandoned', leaseId, actor: { kind: 'person' }, reason: answer.body.reason },
      { type: 'task.ended', state: 'completed' },
    ]);
    expect(entries.map(({ type }) => type)).not.toContain('lease.revoked');
    const again = await abandon(leaseId);
    expect(again).toMatchObject({ status: 409, body: { type: 'urn:mayfly:problem:conflict', taskId } });
    expect(again.body.detail).toBe(`lease \`${leaseId}\` is \`abandoned\` already`);
  });

  it('an active lease is not abandoned', async () => {
    const { leaseId } = await granted();
    const { status, body } = await abandon(leaseId);
    expect([status, body.detail]).toEqual([
      409,
      `lease \`${leaseId}\` is \`active\`, and only a revoking lease can be abandoned`,
    ]);
  });

  it('an unknown lease answers 404', async () => {
    expect(await abandon(newId('lse'))).toMatchObject({ status: 404, body: { type: 'urn:mayfly:problem:not_found' } });
  });

  it.each([{}, { reason: '' }, { reason: '  ' }, { reason: 'x'.repeat(501) }, { reason: 'x', force: true }])(
    'a request to abandon a lease answers 400 for the body %j',
    async (body) => {
      expect((await abandon(leaseIds[0]!, body)).status).toBe(400);
      expect(idsOf(await listed(''))).toContain(leaseIds[0]);
    },
  );

  it.each(['auditor', 'platform'] as const)('a request of the role %s to abandon a lease answers 403', async (role) => {
    const answer = await as(role, `POST /leases/${leaseIds[0]!}/abandon`, { reason: 'gone' });
    expect(answer.status).toBe(403);
    expect(idsOf(await listed(''))).toContain(leaseIds[0]);
  });
});

describe('mayfly leases', () => {
  const cli = (role: 'operator' | 'auditor', ...args: readonly string[]) =>
    runCli({ MAYFLY_URL: mayfly.url, MAYFLY_TOKEN: mayfly.personToken(role) }, 'leases', ...args);

  it('mayfly leases lists overdue leases, and abandons one with a reason', async () => {
    const [first, second] = leaseIds;
    const list = await cli('auditor', '--overdue', '--limit', '1', '--agent', 'support-agent');
    expect(list).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(list.stdout)).toMatchObject({ items: [{ leaseId: first }], nextCursor: expect.any(String) });
    const abandoned = await cli('operator', 'abandon', first!, '--reason', 'the server is gone');
    expect(abandoned).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(abandoned.stdout)).toMatchObject({ leaseId: first, state: 'abandoned' });
    const rest = await cli('auditor', '--overdue', '--limit', '1');
    expect(JSON.parse(rest.stdout)).toMatchObject({ items: [{ leaseId: second }] });
    const gone = await cli('auditor', '--overdue', '--abandoned');
    expect(JSON.parse(gone.stdout)).toMatchObject({ items: [{ leaseId: first, state: 'abandoned' }, {}] });
    const refused = await cli('operator', 'abandon', first!, '--reason', 'again');
    expect(refused).toMatchObject({ code: 3, stderr: expect.stringContaining('`abandoned` already') });
  });

  it.each([
    [[], 'mayfly leases --overdue'],
    [['abandon', 'lse_1'], '--reason'],
  ])('mayfly leases %j is refused with what to change', async (args, words) => {
    const { code, stderr } = await cli('operator', ...args);
    expect(code).toBe(2);
    expect(stderr).toContain(words);
  });
});
