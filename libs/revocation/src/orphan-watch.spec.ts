import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type Json, Problem } from '@mayfly/kernel';
import { FakeTaskStores, IssuanceService, templateOf } from '@mayfly/testing';
import { type OrphanPlace, OrphanWatch } from './orphan-watch.js';

type Orphans = (related: unknown, handles: readonly Json[]) => Promise<readonly string[]>;

describe('the watch over orphans', () => {
  let service: IssuanceService<FakeTaskStores>;
  let watch: OrphanWatch;
  let there: string[];
  let places: OrphanPlace[];
  const orphans = jest.fn<Orphans>();
  const reports: unknown[] = [];
  const told = () => service.stores.scene.audit.filter(({ type }) => type === 'target.orphaned');

  beforeEach(async () => {
    service = new IssuanceService(new FakeTaskStores());
    await service.publish(templateOf());
    service.connect('database', 'dummy');
    there = [];
    places = [{ provider: 'dummy', connection: 'crm', related: 'database' }];
    reports.length = 0;
    orphans.mockImplementation(async (_, handles) => {
      const known = handles.map((handle) => (handle as { readonly id: string }).id);
      return there.filter((name) => !known.includes(name));
    });
    Object.assign(service.dummy, { orphans });
    const { stores, targets, sealer: sealing } = service;
    watch = new OrphanWatch({
      places: () => places,
      store: { lately: async () => [...stores.scene.leaseRows.values()] },
      connections: { find: (name) => service.connection(name) },
      targets,
      sealing,
      audit: stores.issuance,
      clock: stores.scene.clock,
      report: (error) => void reports.push(error),
    });
  });

  it('the orphan watch reports no object that a lease knows', async () => {
    const { plan } = await service.issue();
    there = [plan.leases[0]!.handle.id as string];
    await watch.round();
    await watch.round();
    expect(told()).toEqual([]);
    expect(watch.counts()).toEqual(new Map([['crm', 0]]));
  });

  it('the orphan watch reports an orphan once, after two scans, and counts it until it is gone', async () => {
    there = ['v-left-behind'];
    await watch.round();
    expect(told()).toEqual([]);
    await watch.round();
    await watch.round();
    expect(told().map(({ body }) => JSON.parse(body) as Json)).toMatchObject([
      { connection: 'crm', seenThrough: 'database', total: 1, names: ['v-left-behind'] },
    ]);
    expect(watch.counts().get('crm')).toBe(1);
    there = [];
    await watch.round();
    expect(watch.counts().get('crm')).toBe(0);
  });

  it('the watch over orphans keeps what it sees through one database apart from what it sees through another, and forgets one that is not looked at any more', async () => {
    service.connect('archive', 'dummy');
    places = ['database', 'archive'].map((related) => ({ provider: 'dummy', connection: 'crm', related }));
    for (let round = 0; round < 3; round++) {
      orphans.mockResolvedValueOnce(['v-here']).mockResolvedValueOnce(['v-there', 'v-there-too']);
      await watch.round();
    }
    expect(told()).toHaveLength(2);
    expect(watch.counts()).toEqual(new Map([['crm', 3]]));
    places = [];
    await watch.round();
    expect(watch.counts()).toEqual(new Map());
  });

  it('the watch over orphans reports a place that it cannot look at, and keeps what it knew', async () => {
    there = ['v-left-behind'];
    await watch.round();
    await watch.round();
    orphans.mockRejectedValueOnce(new Problem('provider_unavailable', 'the database does not answer'));
    await watch.round();
    expect(reports).toHaveLength(1);
    expect(watch.counts().get('crm')).toBe(1);
  });
});
