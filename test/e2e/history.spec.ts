import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { canonicalJson, newId, type JsonObject } from '@mayfly/kernel';
import { startTestBroker, type TestAnswer, type TestBroker } from '../support/broker.js';
import { agentDocument, templateDocument, yamlOf } from '../support/documents.js';

let mayfly: TestBroker;
let tokens: readonly string[];
let taskIds: readonly string[];

beforeAll(async () => {
  mayfly = await startTestBroker({
    documents: yamlOf(agentDocument('support-agent'), agentDocument('idle-agent'), templateDocument('read-cases')),
  });
  const granted: { id: string; token: string }[] = [];
  for (const ticket of [1, 2, 3]) granted.push(await grant(`answer ticket ${String(ticket)}`));
  tokens = granted.map(({ token }) => token);
  taskIds = granted.map(({ id }) => id);
  const token = mayfly.agentToken('support-agent');
  await mayfly.send(`POST /tasks/${taskIds[0]!}/complete`, { token });
  await mayfly.send(`POST /tasks/${taskIds[1]!}/fail`, { token, body: { reason: 'the ticket was closed' } });
});

afterAll(() => mayfly.stop());

async function grant(purpose: string): Promise<{ id: string; token: string }> {
  const body = { template: 'read-cases', purpose };
  const answer = await mayfly.send('POST /tasks', { token: mayfly.agentToken('support-agent'), body });
  expect(answer.status).toBe(201);
  const [{ secret }] = answer.body.credentials as unknown as [{ secret: { token: string } }];
  return { id: answer.body.id as string, token: secret.token };
}

const auditor = (route: string): Promise<TestAnswer> =>
  mayfly.send(`GET ${route}`, { token: mayfly.personToken('auditor') });

async function itemsOf<Item = JsonObject>(route: string): Promise<readonly Item[]> {
  const { status, body } = await auditor(route);
  expect(status).toBe(200);
  return body.items as unknown as readonly Item[];
}

/** Everything that a list has, page by page. */
async function readAll(route: string): Promise<{ items: JsonObject[]; pages: number }> {
  const items: JsonObject[] = [];
  let cursor: string | null = '';
  let pages = 0;
  while (cursor !== null) {
    const { status, body } = await auditor(route + (cursor === '' ? '' : `&cursor=${cursor}`));
    expect(status).toBe(200);
    items.push(...(body.items as unknown as JsonObject[]));
    cursor = body.nextCursor as string | null;
    pages += 1;
  }
  return { items, pages };
}

/** Reads until the sealer has caught up with the task's story. */
async function sealedStory(taskId: string): Promise<readonly JsonObject[]> {
  for (;;) {
    const items = await itemsOf(`/tasks/${taskId}/timeline`);
    if (items.every(({ seq }) => seq !== undefined)) return items;
  }
}

describe('GET /issuances', () => {
  it('GET /issuances has one item a lease, newest first, with how it ended', async () => {
    const items = await itemsOf('/issuances');
    expect(items.map(({ taskId }) => taskId)).toEqual([...taskIds].reverse());
    expect(items[2]).toMatchObject({
      ...{ name: 'api', provider: 'signed-token', agent: 'support-agent', runtime: 'developer-laptop' },
      ...{ template: { name: 'read-cases', version: 1 }, purpose: 'answer ticket 1', state: 'revoked' },
      ...{ cause: 'completed', scope: { audience: 'https://cases.example', operations: ['cases.read'] } },
    });
    expect(items[0]).toMatchObject({ state: 'active' });
  });

  it.each([
    ['agent=support-agent', 3],
    ['agent=idle-agent', 0],
    ['template=read-cases&state=active', 1],
    ['provider=postgres', 0],
    ['cause=failed', 1],
    ['to=2026-01-01T00:00:00Z', 0],
    ['from=2026-01-01T00:00:00Z', 3],
  ])('GET /issuances filters by %s', async (query, count) => {
    expect(await itemsOf(`/issuances?${query}`)).toHaveLength(count);
  });

  it('GET /issuances finds the leases of one task', async () => {
    expect(await itemsOf(`/issuances?taskId=${taskIds[1]!}`)).toMatchObject([{ taskId: taskIds[1], cause: 'failed' }]);
  });

  it('GET /issuances is read page by page with its cursor, which fits no other question', async () => {
    const { items, pages } = await readAll('/issuances?limit=1&agent=support-agent');
    expect([items.length, pages]).toEqual([3, 3]);
    const cursor = (await auditor('/issuances?limit=1&agent=support-agent')).body.nextCursor as string;
    const other = await auditor(`/issuances?limit=1&agent=idle-agent&cursor=${cursor}`);
    expect([other.status, other.body.type]).toEqual([400, 'urn:mayfly:problem:invalid_request']);
  });

  it.each([
    'limit=0',
    'limit=201',
    'limit=x',
    'state=gone',
    'from=yesterday',
    'owner=me',
    'agent=a&agent=b',
    'cursor=x',
  ])('GET /issuances refuses ?%s', async (query) => {
    expect((await auditor(`/issuances?${query}`)).status).toBe(400);
  });
});

describe('GET /tasks/:id/timeline', () => {
  it('GET /tasks/:id/timeline tells the whole story of a task, from the grant to its end', async () => {
    const story = await sealedStory(taskIds[1]!);
    const types = story.map(({ type }) => type);
    expect(types).toEqual(['task.granted', 'task.ending', 'lease.revoking', 'lease.revoked', 'task.ended']);
    expect(story[0]).toMatchObject({ leases: [{ issued: { providerExpiresAt: expect.any(String) } }] });
    expect(story[1]).toMatchObject({
      actor: { kind: 'agent', name: 'support-agent', runtime: 'developer-laptop' },
      ...{ cause: 'failed', reason: 'the ticket was closed', taskId: taskIds[1] },
    });
    const places = story.map(({ seq }) => Number(seq));
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(story.map(({ log }) => log)).toEqual(story.map(() => 0));
  });

  it('GET /tasks/:id/timeline can be read in pages', async () => {
    const { items } = await readAll(`/tasks/${taskIds[0]!}/timeline?limit=2`);
    expect(items).toEqual(await sealedStory(taskIds[0]!));
  });

  it('the timeline of an unknown task answers 404', async () => {
    expect((await auditor(`/tasks/${newId('tsk')}/timeline`)).status).toBe(404);
  });
});

describe('GET /audit/entries', () => {
  it('GET /audit/entries is the gapless log, and its data give every leaf hash', async () => {
    await sealedStory(taskIds[1]!);
    const { items } = await readAll('/audit/entries?limit=3');
    expect(items.map(({ seq }) => seq)).toEqual(items.map((_, index) => index + 1));
    expect(new Set(items.map(({ log }) => log))).toEqual(new Set([0]));
    for (const { canonical, body, leafHash } of items) {
      expect(canonicalJson(body!)).toBe(canonical);
      expect(
        createHash('sha256')
          .update(`\0${canonical as string}`)
          .digest('base64url'),
      ).toBe(leafHash);
    }
  });

  it.each([
    ['type=task.granted', 3],
    ['agent=idle-agent&type=task.granted', 0],
    ['from=2100-01-01T00:00:00Z', 0],
    ['type=task.granted&to=2100-01-01T00:00:00Z&from=2026-01-01T00:00:00Z', 3],
  ])('GET /audit/entries filters by %s', async (query, count) => {
    await sealedStory(taskIds[2]!);
    expect(await itemsOf(`/audit/entries?${query}`)).toHaveLength(count);
  });

  it('GET /audit/entries has the refusal of an agent that asked for it', async () => {
    const token = mayfly.agentToken('idle-agent');
    expect((await mayfly.send('GET /audit/entries', { token })).status).toBe(403);
    const route = '/audit/entries?type=request.forbidden&agent=idle-agent';
    let found = await itemsOf<{ body: JsonObject }>(route);
    while (found.length === 0) found = await itemsOf(route);
    expect(found[0]!.body).toMatchObject({ route: 'GET /audit/entries', actor: { kind: 'agent' } });
  });
});

it('the history shows no granted token anywhere', async () => {
  await sealedStory(taskIds[1]!);
  const lists = ['/issuances', '/audit/entries', ...taskIds.map((id) => `/tasks/${id}/timeline`)];
  const texts = await Promise.all(lists.map(async (list) => JSON.stringify((await auditor(list)).body)));
  for (const token of tokens) {
    const signature = token.split('.')[2]!;
    expect(texts.filter((text) => text.includes(signature))).toEqual([]);
  }
});
