import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { MAYFLY } from '@mayfly/audit';
import type { Connection, RevocationOutcome } from '@mayfly/credentials';
import { type Json, type JsonObject, newId, Problem } from '@mayfly/kernel';
import { FakeReconciliations, TestClock } from '@mayfly/testing';
import { OrphanEnding } from './orphan-ending.js';
import { Reconciler } from './reconciler.js';
import type { Difference } from './reconciliation.js';
import type { Comparison, OwnOrphan } from './target-comparison.js';

const connectionOf = (name: string, more: Partial<Connection> = {}): Connection => ({
  name,
  spec: { provider: 'postgres', owner: 'crm', config: {} },
  ...more,
});
const own = (): OwnOrphan => {
  const leaseId = newId('lse');
  return { object: `mayfly_${leaseId.slice(4)}`, leaseId, kind: 'unknown_lease' };
};
const STRANGE: Difference = { kind: 'unmarked', action: 'reported', object: 'mayfly_strange' };

describe('the reconciler', () => {
  let clock: TestClock;
  let store: FakeReconciliations;
  let reconciler: Reconciler;
  let found: { ownOrphans: OwnOrphan[]; reported: Difference[] };
  let connections: Connection[];
  const reports: unknown[] = [];
  let mayEnd: boolean;
  const compare = jest.fn<(connection: Connection) => Promise<Comparison>>();
  const endObject = jest.fn<(config: unknown, name: string) => Promise<RevocationOutcome>>();

  beforeEach(() => {
    clock = new TestClock();
    store = new FakeReconciliations(clock);
    [connections, found] = [[connectionOf('crm')], { ownOrphans: [], reported: [] }];
    [reports.length, mayEnd] = [0, true];
    compare.mockReset().mockImplementation(async () => ({ ...found }));
    endObject.mockReset().mockResolvedValue({ kind: 'revoked' });
    const provider = { kind: 'postgres', objects: jest.fn(), endObject } as never;
    const targets = { restore: async () => ({ provider, config: {} }) as never };
    reconciler = new Reconciler({
      ...{ turns: store, comparison: { compare }, clock },
      ending: new OrphanEnding({ turns: store, targets, clock }),
      connections: () => connections,
      providers: { find: (kind) => (kind === 'postgres' ? provider : ({ kind } as never)) },
      orphans: { connections: new Set(['vault-main']) },
      mayEndUnknown: async () => mayEnd,
      report: (error) => void reports.push(error),
    });
  });

  const request = () => store.request({ id: newId('rcn'), connection: 'crm', actor: MAYFLY });
  const rows = async () => (await store.list({}, { limit: 10 })).items;
  const entries = () => store.audit.map(({ type, body }) => ({ ...(JSON.parse(body) as JsonObject), type }));

  it('a reconciliation in quarantine ends nothing and reports our orphans, and the next one after it ends them', async () => {
    const orphan = own();
    found = { ownOrphans: [orphan], reported: [STRANGE] };
    mayEnd = false;
    const { id } = await request();
    await reconciler.runRequested();
    expect((await store.find(id))?.differences).toMatchObject([{ ...orphan, action: 'reported' }, STRANGE]);
    expect(endObject).not.toHaveBeenCalled();
    expect(entries().map(({ type }) => type)).not.toContain('orphan.ending');
    expect(reconciler.counts().get('crm')).toBe(2);
    mayEnd = true;
    await reconciler.round();
    expect(endObject.mock.calls.map(([, name]) => name)).toEqual([orphan.object]);
  });

  it('a requested reconciliation ends our orphans, reports the others, and says so in row and audit', async () => {
    const orphan = own();
    found = { ownOrphans: [orphan], reported: [STRANGE] };
    const { id } = await request();
    expect(await reconciler.runRequested()).toBe(true);
    expect(await store.find(id)).toMatchObject({
      state: 'done',
      differences: [{ ...orphan, action: 'ended' }, STRANGE],
      leftOut: 0,
    });
    expect(endObject.mock.calls.map(([, name]) => name)).toEqual([orphan.object]);
    expect(entries()).toMatchObject([
      { type: 'reconciliation.requested', reconciliation: id, connection: 'crm' },
      { type: 'orphan.ending', object: orphan.object, leaseId: orphan.leaseId, cause: 'unknown_lease' },
      { type: 'orphan.ended', object: orphan.object, leaseId: orphan.leaseId, cause: 'unknown_lease' },
      { type: 'target.orphaned', names: ['mayfly_strange'], total: 1 },
      {
        type: 'reconciliation.finished',
        reconciliation: id,
        state: 'done',
        ended: 1,
        repaired: 0,
        notEnded: 0,
        reported: 1,
      },
    ]);
    expect(await reconciler.runRequested()).toBe(false);
  });

  it('a requested reconciliation without differences is done, with an empty list', async () => {
    const { id } = await request();
    await reconciler.runRequested();
    expect(await store.find(id)).toMatchObject({ state: 'done', differences: [] });
  });

  it.each<[RevocationOutcome, string]>([
    [{ kind: 'unknown', detail: 'the server does not answer' }, 'the server does not answer'],
    [{ kind: 'not_yet', detail: 'it is queued' }, 'it is queued'],
    [{ kind: 'impossible' }, 'it lives to its own expiry'],
  ])('an object is not called ended after the outcome %j', async (outcome, detail) => {
    found.ownOrphans = [own()];
    endObject.mockResolvedValue(outcome);
    const { id } = await request();
    await reconciler.runRequested();
    expect((await store.find(id))!.differences).toMatchObject([{ action: 'not_ended', detail }]);
    expect(entries().map(({ type }) => type)).not.toContain('orphan.ended');
    expect(reconciler.counts()).toEqual(new Map([['crm', 1]]));
  });

  it('no object is ended before the intent is committed', async () => {
    found.ownOrphans = [own()];
    endObject.mockImplementation(async () => {
      expect(entries().at(-1)).toMatchObject({ type: 'orphan.ending' });
      return { kind: 'revoked' };
    });
    await request();
    await reconciler.runRequested();
    expect(endObject).toHaveBeenCalledTimes(1);
  });

  it('no object is ended when the turn lapsed while the target made its list', async () => {
    found.ownOrphans = [own()];
    compare.mockImplementationOnce(async () => {
      clock.advance(181);
      return found;
    });
    const { id } = await request();
    await reconciler.runRequested();
    expect(endObject).not.toHaveBeenCalled();
    expect(await store.find(id)).toMatchObject({ state: 'running' });
    await reconciler.runRequested();
    expect(endObject).toHaveBeenCalledTimes(1);
    expect(await store.find(id)).toMatchObject({ state: 'done' });
  });

  it('a reconciliation ends at most 500 objects, records at most 1,000 differences, and counts those left out', async () => {
    found = { ownOrphans: Array.from({ length: 510 }, own), reported: Array.from({ length: 600 }, () => STRANGE) };
    const { id } = await request();
    await reconciler.runRequested();
    expect(endObject).toHaveBeenCalledTimes(500);
    const { differences, leftOut } = (await store.find(id))!;
    expect([differences.length, leftOut]).toEqual([1_000, 110]);
    expect(differences.filter(({ action }) => action === 'not_ended')).toHaveLength(10);
  });

  it.each([
    [new Problem('provider_rejected', 'the password is wrong; correct it'), 'the password is wrong; correct it'],
    [new Error('a defect with a secret'), 'Mayfly failed during the comparison; read its log, then ask again'],
  ])('a reconciliation fails with the reason of %s, and hides what is no problem', async (error, reason) => {
    compare.mockRejectedValueOnce(error);
    const { id } = await request();
    await reconciler.runRequested();
    expect(await store.find(id)).toMatchObject({ state: 'failed', error: reason });
    expect(entries().at(-1)).toMatchObject({ type: 'reconciliation.finished', state: 'failed', error: reason });
    expect(reports).toEqual([error]);
  });

  it('a reconciliation whose process died is carried out by the next one, and fails after three attempts', async () => {
    const { id } = await request();
    for (let attempt = 0; attempt < 3; attempt++) {
      await store.takeRequested(180);
      clock.advance(181);
    }
    await reconciler.runRequested();
    expect(compare).not.toHaveBeenCalled();
    expect(await store.find(id)).toMatchObject({ state: 'failed', error: expect.stringContaining('each attempt') });
  });

  it('a reconciliation fails when its connection was disabled meanwhile', async () => {
    const { id } = await request();
    connections = [connectionOf('crm', { disabled: true })];
    await reconciler.runRequested();
    expect(await store.find(id)).toMatchObject({ state: 'failed', error: expect.stringContaining('disabled') });
  });

  it('a scheduled comparison writes no row while it finds nothing, one for new differences, and none for the same ones', async () => {
    await reconciler.round();
    expect(await rows()).toEqual([]);
    found.reported = [STRANGE];
    for (let round = 0; round < 3; round++) await reconciler.round();
    expect(await rows()).toMatchObject([{ connection: 'crm', state: 'done', actor: MAYFLY, differences: [STRANGE] }]);
    expect(reconciler.counts()).toEqual(new Map([['crm', 1]]));
    found.reported = [];
    await reconciler.round();
    expect(reconciler.counts()).toEqual(new Map([['crm', 0]]));
    found.reported = [STRANGE];
    await reconciler.round();
    expect(await rows()).toHaveLength(2);
  });

  it('a scheduled comparison records what it ended, and does not record the objects of other installations by themselves', async () => {
    found.reported = [{ kind: 'other_mark', action: 'reported', object: 'mayfly_theirs' }];
    await reconciler.round();
    expect(await rows()).toEqual([]);
    expect(reconciler.counts()).toEqual(new Map([['crm', 0]]));
    found.ownOrphans = [own()];
    await reconciler.round();
    expect(await rows()).toMatchObject([{ differences: [{ action: 'ended' }, { kind: 'other_mark' }] }]);
  });

  it('a scheduled round skips disabled connections, providers that cannot list, and connections that another process compares', async () => {
    connections = [
      connectionOf('crm'),
      connectionOf('off', { disabled: true }),
      connectionOf('vault-main', { spec: { provider: 'vault', owner: 'it', config: {} } }),
      connectionOf('tokens', { spec: { provider: 'signed-token', owner: 'it', config: {} } }),
      connectionOf('busy'),
    ];
    await store.take('busy', 180);
    await reconciler.round();
    expect(compare.mock.calls.map(([{ name }]) => name)).toEqual(['crm', 'vault-main']);
  });

  it('a scheduled comparison that fails is reported once until it works, and stops no other connection', async () => {
    connections = [connectionOf('crm'), connectionOf('billing')];
    compare.mockImplementation(async ({ name }) => {
      if (name === 'crm') throw new Problem('provider_unavailable', 'the database does not answer');
      return { ownOrphans: [], reported: [STRANGE] };
    });
    await reconciler.round();
    await reconciler.round();
    expect(reports).toHaveLength(1);
    expect(await rows()).toMatchObject([{ connection: 'billing' }]);
    compare.mockImplementation(async () => ({ ownOrphans: [], reported: [] }));
    await reconciler.round();
    compare.mockRejectedValueOnce(new Problem('provider_unavailable', 'the database does not answer'));
    await reconciler.round();
    expect(reports).toHaveLength(2);
  });

  it('the count of a connection that is gone is forgotten', async () => {
    found.reported = [STRANGE];
    await reconciler.round();
    connections = [];
    await reconciler.round();
    expect(reconciler.counts()).toEqual(new Map<string, Json>());
  });
});
