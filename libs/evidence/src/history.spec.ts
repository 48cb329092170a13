import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { MAYFLY, type SealedEntry, type StoryEntry } from '@mayfly/audit';
import { canonicalJson, type JsonObject, newId } from '@mayfly/kernel';
import type { Issuance, OverdueLease } from '@mayfly/tasks';
import { bareEntry } from '@mayfly/testing';
import { History } from './history.js';

const AT = new Date('2030-01-01T00:00:00Z');
const taskId = newId('tsk');
const { body } = bareEntry('task.denied', AT, MAYFLY, { taskId }, { control: 'requester-runtime' });
const issuance: Issuance = {
  ...{ leaseId: newId('lse'), taskId, state: 'revoked', name: 'api', provider: 'signed-token', agent: 'support-agent' },
  ...{ template: { name: 'support', version: 2 }, runtime: 'ci', purpose: 'answer', scope: { operations: ['read'] } },
  ...{ createdAt: AT, expiresAt: AT, endCause: 'completed', revokeEffectiveAt: AT },
};

/** A store with one page. It records the queries that it gets. */
class OnePage<Item, Position> {
  readonly asked: { filter: unknown; limit: number; after?: unknown }[] = [];

  constructor(
    private readonly items: readonly Item[],
    private readonly next?: Position,
  ) {}

  readonly read = async (filter: unknown, request: { limit: number; after?: unknown }) => {
    this.asked.push({ filter, ...request });
    return { items: this.items, ...(this.next === undefined ? {} : { next: this.next }) };
  };
}

function serviceOver(pages: {
  issuances?: OnePage<Issuance, { createdAt: string; leaseId: string }>;
  story?: OnePage<StoryEntry, { batch: string; place: number }>;
  entries?: OnePage<SealedEntry, number>;
  refusals?: OnePage<string, { at: string; id: string }>;
  overdue?: OnePage<OverdueLease, { since: string; leaseId: string }>;
  abandoned?: OnePage<OverdueLease, { since: string; leaseId: string }>;
}): History {
  const {
    issuances = new OnePage([]),
    story = new OnePage([]),
    entries = new OnePage([]),
    refusals = new OnePage([]),
    overdue = new OnePage([]),
    abandoned = new OnePage([]),
  } = pages;
  const audit = { story: story.read, entries: entries.read, refusals: refusals.read };
  return new History({ issuances: issuances.read }, audit, { overdue: overdue.read, abandoned: abandoned.read });
}

const cursorOf = (page: JsonObject) => page.nextCursor as string;

describe('the history', () => {
  it('the history shows one item per lease, with instants as text and without absent members', async () => {
    const pages = new OnePage<Issuance, never>([issuance]);
    const { items, nextCursor } = await serviceOver({ issuances: pages }).issuances({
      limit: 50,
      agent: 'support-agent',
    });
    expect(nextCursor).toBeNull();
    expect(JSON.parse(JSON.stringify(items))).toEqual([
      {
        ...{ leaseId: issuance.leaseId, taskId, state: 'revoked', name: 'api', provider: 'signed-token' },
        ...{ agent: 'support-agent', template: { name: 'support', version: 2 }, runtime: 'ci', purpose: 'answer' },
        ...{ scope: { operations: ['read'] }, createdAt: AT.toISOString(), expiresAt: AT.toISOString() },
        ...{ revokeEffectiveAt: AT.toISOString(), cause: 'completed' },
      },
    ]);
    expect(pages.asked).toEqual([{ filter: { agent: 'support-agent' }, limit: 50, after: undefined }]);
  });

  it('the history continues where a page stopped, under the same filters only', async () => {
    const next = { createdAt: '2030-01-01T00:00:00.000001Z', leaseId: newId('lse') };
    const pages = new OnePage([issuance], next);
    const service = serviceOver({ issuances: pages });
    const cursor = cursorOf(await service.issuances({ limit: 1, agent: 'support-agent' }));
    await service.issuances({ limit: 1, agent: 'support-agent', cursor });
    expect(pages.asked.at(-1)).toMatchObject({ after: next });
    await expect(service.issuances({ limit: 1, agent: 'code-agent', cursor })).rejects.toMatchObject({
      code: 'invalid_request',
    });
    await expect(service.entries({ limit: 1, cursor })).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('the list of overdue leases continues where a page stopped, and its cursor fits no other list', async () => {
    const lease: OverdueLease = {
      ...{ ...issuance, state: 'revoking', revocation: 'immediate', attempts: 3, overdueSince: AT },
      ...{ connection: 'crm', lastError: 'no answer', nextTryAt: AT },
    };
    const next = { since: '2030-01-01T00:00:00.000001Z', leaseId: newId('lse') };
    const pages = new OnePage([lease], next);
    const service = serviceOver({ overdue: pages });
    const page = await service.overdue({ limit: 1, abandoned: false, connection: 'crm' });
    expect(page.items).toMatchObject([
      { state: 'revoking', attempts: 3, lastError: 'no answer', nextTryAt: AT.toISOString() },
    ]);
    const cursor = cursorOf(page);
    await service.overdue({ limit: 1, abandoned: false, connection: 'crm', cursor });
    expect(pages.asked.at(-1)).toEqual({ filter: { connection: 'crm' }, limit: 1, after: next });
    for (const other of [{ abandoned: true, connection: 'crm' }, { abandoned: false }]) {
      await expect(service.overdue({ limit: 1, ...other, cursor })).rejects.toMatchObject({ code: 'invalid_request' });
    }
  });

  it('the timeline of a task has all recorded facts and the number in the log, if there is one', async () => {
    const story = new OnePage<StoryEntry, never>([
      { log: 0, seq: 7, body },
      { log: 0, body },
    ]);
    const { items } = await serviceOver({ story }).timeline(taskId, { limit: 200 });
    const told = { ...(JSON.parse(body) as object), control: 'requester-runtime', type: 'task.denied', taskId };
    expect(items).toEqual([
      { log: 0, seq: 7, ...told },
      { log: 0, ...told },
    ]);
  });

  it('the history refuses a task without entries and shows no entry of another task', async () => {
    const empty = serviceOver({});
    await expect(empty.timeline(taskId, { limit: 200 })).rejects.toMatchObject({ code: 'not_found' });
    const story = new OnePage([{ log: 0, body }], { batch: '1', place: 0 });
    const cursor = cursorOf(await serviceOver({ story }).timeline(taskId, { limit: 1 }));
    await expect(empty.timeline(taskId, { limit: 1, cursor })).resolves.toEqual({ items: [], nextCursor: null });
    await expect(empty.timeline(newId('tsk'), { limit: 1, cursor })).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('the history shows a refused identity by the members that are meant to be shown, page by page', async () => {
    const facts = { reason: 'audience', issuer: 'ci', aud: ['a'], requestId: 'req_1', suppressedBefore: 3 };
    const refused = bareEntry('identity.refused', AT, MAYFLY, {}, facts);
    const next = { at: '2030-01-01T00:00:00.000001Z', id: refused.id };
    const refusals = new OnePage([refused.body], next);
    const query = { limit: 1, reason: 'audience' } as const;
    const page = await serviceOver({ refusals }).refusals(query);
    expect(JSON.parse(JSON.stringify(page.items))).toEqual([
      { at: AT.toISOString(), reason: 'audience', issuer: 'ci', aud: ['a'], requestId: 'req_1' },
    ]);
    await serviceOver({ refusals }).refusals({ ...query, cursor: cursorOf(page) });
    expect(refusals.asked.at(-1)).toEqual({ filter: { reason: 'audience' }, limit: 1, after: next });
  });

  it('the history shows a sealed entry with what its leaf hash is computed from', async () => {
    const leafHash = createHash('sha256').update(`\0${body}`).digest();
    const entries = new OnePage([{ log: 0, seq: 1, leafHash, body }], 1);
    const page = await serviceOver({ entries }).entries({ limit: 1 });
    expect(page.items).toMatchObject([{ log: 0, seq: 1 }]);
    const [entry] = page.items as [{ leafHash: string; body: JsonObject; canonical: string }];
    expect(canonicalJson(entry.body)).toBe(entry.canonical);
    expect(createHash('sha256').update(`\0${entry.canonical}`).digest('base64url')).toBe(entry.leafHash);
    await serviceOver({ entries }).entries({ limit: 1, cursor: cursorOf(page) });
    expect(entries.asked.at(-1)).toEqual({ filter: {}, limit: 1, after: 1 });
  });
});
