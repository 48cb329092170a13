import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Connection, SealedLease, TargetObject } from '@mayfly/credentials';
import { type LeaseId, newId } from '@mayfly/kernel';
import type { Difference } from './reconciliation.js';
import type { LeaseStanding } from './reconciliation.store.js';
import { TargetComparison } from './target-comparison.js';

const CRM: Connection = { name: 'crm', spec: { provider: 'postgres', owner: 'crm', config: { url: 'env:CRM' } } };
const AT = new Date('2030-01-01T00:00:00Z');

describe('the comparison of a target with the leases', () => {
  /** the objects at the target, and the leases in the database with their standing */
  let there: TargetObject[];
  let leases: Map<LeaseId, { standing: LeaseStanding; isActive?: boolean; config?: object }>;
  let unseen: { unseen?: string };
  /** runs while the target makes its list */
  let meanwhile: () => void;
  let seenElsewhere: Difference[];
  const order: string[] = [];

  beforeEach(() => {
    [there, unseen, seenElsewhere] = [[], {}, []];
    leases = new Map();
    meanwhile = () => undefined;
    order.length = 0;
  });

  const objects = jest.fn(async () => {
    order.push('target');
    const list = { objects: [...there], ...unseen };
    meanwhile();
    return list;
  });
  const comparison = new TargetComparison({
    targets: {
      restore: async () => ({ provider: { objects, endObject: jest.fn() }, config: {} }) as never,
    },
    sealing: { seal: () => Buffer.from(''), open: (sealed) => Buffer.from(sealed) },
    orphans: { look: async () => seenElsewhere },
    leases: {
      revocationPoints: async () => [],
      active: async () => {
        order.push('active');
        return { at: AT, leaseIds: [...leases].filter(([, { isActive }]) => isActive).map(([id]) => id) };
      },
      standings: async (ids) => {
        order.push('standings');
        return new Map(ids.flatMap((id) => (leases.has(id) ? [[id, leases.get(id)!.standing] as const] : [])));
      },
      stillActive: async (ids) =>
        ids.filter((id) => leases.get(id)?.isActive).map((id) => sealed(id, leases.get(id)!.config ?? CRM.spec.config)),
    },
  });
  const sealed = (id: LeaseId, config: object): SealedLease => ({
    ...{ id, provider: 'postgres' },
    sealedHandle: Buffer.from(JSON.stringify({ handle: {}, config })),
  });
  const object = (mark: TargetObject['mark'], leaseId = newId('lse')): TargetObject & { leaseId: LeaseId } => {
    const made = { name: `mayfly_${leaseId.slice(4)}`, leaseId, mark };
    there.push(made);
    return made;
  };

  it.each(['ours', 'other', 'none'] as const)(
    'an object with the mark `%s` is no difference while its lease lives, or when it has just ended',
    async (mark) => {
      leases.set(object(mark).leaseId, { standing: 'living' });
      leases.set(object(mark).leaseId, { standing: 'ended_lately' });
      expect(await comparison.compare(CRM)).toEqual({ ownOrphans: [], reported: [] });
    },
  );

  it('an object with our mark has to be ended when its lease is unknown or has ended', async () => {
    const [unknown, ended] = [object('ours'), object('ours')];
    leases.set(ended.leaseId, { standing: 'ended' });
    const { ownOrphans, reported } = await comparison.compare(CRM);
    expect(ownOrphans).toEqual([
      { object: unknown.name, leaseId: unknown.leaseId, kind: 'unknown_lease' },
      { object: ended.name, leaseId: ended.leaseId, kind: 'ended_lease' },
    ]);
    expect(reported).toEqual([]);
  });

  it('an object without our mark is reported and not ended, also when the database knows that its lease has ended', async () => {
    const [unmarked, other, ended] = [object('none'), object('other'), object('none')];
    leases.set(ended.leaseId, { standing: 'ended' });
    there.push({ name: 'without-a-lease', mark: 'ours' });
    const { ownOrphans, reported } = await comparison.compare(CRM);
    expect(ownOrphans).toEqual([]);
    expect(reported).toMatchObject([
      { kind: 'unmarked', action: 'reported', object: unmarked.name },
      { kind: 'other_mark', action: 'reported', object: other.name },
      { kind: 'unmarked', action: 'reported', object: ended.name, leaseId: ended.leaseId },
      { kind: 'unmarked', action: 'reported', object: 'without-a-lease' },
    ]);
  });

  it('an object whose lease was planned while the target made its list is no difference', async () => {
    const { leaseId } = object('ours');
    meanwhile = () => leases.set(leaseId, { standing: 'living', isActive: true });
    expect(await comparison.compare(CRM)).toEqual({ ownOrphans: [], reported: [] });
    expect(order).toEqual(['active', 'target', 'standings']);
  });

  it('an active lease without an object is reported, and one that was issued or ended meanwhile is not', async () => {
    const [gone, ending, issued] = [newId('lse'), newId('lse'), newId('lse')];
    for (const id of [gone, ending]) leases.set(id, { standing: 'living', isActive: true });
    meanwhile = () => {
      leases.set(ending, { standing: 'living' });
      leases.set(issued, { standing: 'living', isActive: true });
    };
    const { reported } = await comparison.compare(CRM);
    expect(reported).toMatchObject([{ kind: 'missing', action: 'reported', leaseId: gone }]);
  });

  it('an active lease that was planned before the connection changed is not called missing', async () => {
    const config = { url: 'env:EARLIER' };
    leases.set(newId('lse'), { standing: 'living', isActive: true, config });
    const { reported } = await comparison.compare(CRM);
    expect(reported).toMatchObject([{ kind: 'not_compared', detail: expect.stringMatching(/^1 active leases/) }]);
  });

  it('a list that is not complete proves no lease to be without its object', async () => {
    unseen = { unseen: 'there are more objects; remove some' };
    leases.set(newId('lse'), { standing: 'living', isActive: true });
    const { reported } = await comparison.compare(CRM);
    expect(reported).toMatchObject([{ kind: 'not_compared', detail: 'there are more objects; remove some' }]);
  });

  it('the orphans that another connection shows are among the differences', async () => {
    seenElsewhere = [{ kind: 'orphan', action: 'reported', object: 'v-left-behind' }];
    expect((await comparison.compare(CRM)).reported).toEqual(seenElsewhere);
  });
});
