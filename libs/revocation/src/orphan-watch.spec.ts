import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type Json, Problem } from '@mayfly/kernel';
import { FakeTaskStores, IssuanceService, templateOf } from '@mayfly/testing';
import { type OrphanPlace, OrphanWatch } from './orphan-watch.js';

type Orphans = (related: unknown, handles: readonly Json[]) => Promise<readonly string[]>;

describe('the orphan watch', () => {
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

  const look = async (connection = 'crm', seconds = 60) => {
    const names = (await watch.look(connection)).flatMap(({ kind, object }) => (kind === 'orphan' ? object! : []));
    await service.stores.scene.advance(seconds);
    return names;
  };

  it('the orphan watch reports no object that a lease knows', async () => {
    const { plan } = await service.issue();
    there = [plan.leases[0]!.handle.id as string];
    expect([await look(), await look()]).toEqual([[], []]);
    expect(told()).toEqual([]);
  });

  it('the orphan watch audits an orphan once, and reports it from the second scan on until it is gone', async () => {
    there = ['v-left-behind'];
    expect(await look()).toEqual([]);
    expect(told()).toEqual([]);
    expect([await look(), await look()]).toEqual([there, there]);
    expect(told().map(({ body }) => JSON.parse(body) as Json)).toMatchObject([
      { connection: 'crm', seenThrough: 'database', total: 1, names: ['v-left-behind'] },
    ]);
    there = [];
    expect(await look()).toEqual([]);
  });

  it('the orphan watch calls no object an orphan that a mint may have made a moment ago, however often it is seen', async () => {
    there = ['v-being-made'];
    for (let scan = 0; scan < 10; scan++) expect(await look('crm', 5)).toEqual([]);
    expect(told()).toEqual([]);
    await service.stores.scene.advance(10);
    expect(await look()).toEqual(there);
  });

  it('the orphan watch keeps orphans of one database apart from those of another, and forgets a pair that no template names', async () => {
    service.connect('archive', 'dummy');
    const pairs = ['database', 'archive'].map((related) => ({ provider: 'dummy', connection: 'crm', related }));
    places = pairs;
    const scan = () => {
      orphans.mockResolvedValueOnce(['v-here']).mockResolvedValueOnce(['v-there', 'v-there-too']);
      return look();
    };
    await scan();
    expect([await scan(), await scan()]).toEqual(Array(2).fill(['v-here', 'v-there', 'v-there-too']));
    expect(told()).toHaveLength(2);
    expect([...watch.connections]).toEqual(['crm']);
    places = [];
    expect(await look()).toEqual([]);
    expect([...watch.connections]).toEqual([]);
    places = pairs;
    expect(await scan()).toEqual([]);
  });

  it('the orphan watch scans the pairs of the given connection only', async () => {
    orphans.mockClear();
    expect(await look('another')).toEqual([]);
    expect(orphans).not.toHaveBeenCalled();
  });

  it('the orphan watch reports a pair that it cannot scan, and keeps its orphans', async () => {
    there = ['v-left-behind'];
    await look();
    await look();
    orphans.mockRejectedValueOnce(new Problem('provider_unavailable', 'the database does not answer'));
    expect(await watch.look('crm')).toMatchObject([
      { kind: 'orphan', object: 'v-left-behind' },
      { kind: 'not_compared', detail: expect.stringContaining('`database`') },
    ]);
    expect(reports).toHaveLength(1);
  });
});
