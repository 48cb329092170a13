import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { FakeTaskStores, IssuanceService } from '@mayfly/testing';
import { RevocationUpkeep, type UpkeepStore } from './revocation-upkeep.js';

describe('the upkeep of shared revocation points', () => {
  let service: IssuanceService<FakeTaskStores>;
  let due: Awaited<ReturnType<UpkeepStore['due']>>;
  const reports: unknown[] = [];

  beforeEach(async () => {
    service = new IssuanceService(new FakeTaskStores());
    await service.publish();
    const { plan } = await service.issue();
    const [lease] = await service.stores.scene.leases(plan.task.id);
    const { sealedHandle } = service.stores.scene.leaseRows.get(lease!.id)!;
    due = ['role/one', 'role/two'].map((revocationPoint) => ({
      revocationPoint,
      lease: { id: lease!.id, provider: 'dummy', sealedHandle },
    }));
    reports.length = 0;
  });

  const upkeepOf = (maintain: jest.Mock<(config: unknown, revocationPoint: string) => Promise<void>>) => {
    Object.assign(service.dummy, { maintain });
    const { targets, sealer: sealing } = service;
    const store = { due: async (limit: number) => due.slice(0, limit) };
    return new RevocationUpkeep({ store, targets, sealing, report: (error) => void reports.push(error) });
  };

  it('the upkeep of shared revocation points has the provider look at each revocation point, with the configuration that its leases know', async () => {
    const maintain = jest.fn<(config: unknown, revocationPoint: string) => Promise<void>>().mockResolvedValue();
    expect(await upkeepOf(maintain).round(10)).toBe(2);
    expect(maintain.mock.calls.map(([config, point]) => [config, point])).toEqual([
      [{}, 'role/one'],
      [{}, 'role/two'],
    ]);
    expect(await upkeepOf(maintain).round(1)).toBe(1);
  });

  it('the upkeep of shared revocation points reports what failed, and lets it hold up no other', async () => {
    const maintain = jest
      .fn<(config: unknown, revocationPoint: string) => Promise<void>>()
      .mockRejectedValueOnce(new Error('the target is down'))
      .mockResolvedValue();
    await upkeepOf(maintain).round(10);
    expect(maintain).toHaveBeenCalledTimes(2);
    expect(reports).toHaveLength(1);
  });
});
