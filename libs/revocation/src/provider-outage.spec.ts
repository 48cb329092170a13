import { beforeAll, describe, expect, it } from '@jest/globals';
import { MAYFLY } from '@mayfly/audit';
import type { RevocationOrder, RevocationOutcome } from '@mayfly/credentials';
import { FakeTaskStores, IssuanceService, templateOf } from '@mayfly/testing';

/** A long run (`npm run test:deep`, which sets LOAD_SCALE) has 10,000 leases. */
const LEASES = process.env.LOAD_SCALE === undefined ? 300 : 10_000;
const OUTAGE_SECONDS = 3_600;
const SWEEP_LIMIT = 200;
/** One lease of the other provider falls due in each of these seconds. */
const OTHER_EVERY_SECONDS = 10;
/** The longest pause between two tries of a lease. */
const MAX_RETRY_SECONDS = 60;
const UNREACHED: RevocationOutcome = { kind: 'unknown', detail: 'nothing listens there', unreached: true };

const template = (name: string, connection: string) =>
  templateOf({
    lifetime: { defaultSeconds: 600, maxSeconds: 43_200 },
    quota: { tasksPerMinute: 1_000_000, concurrentTasks: 1_000_000 },
    credentials: [{ name, provider: 'dummy', connection, scope: { permissions: ['cases:read'] } }],
  });

/** One virtual second: sweeps until nothing is due, as the loop of a worker does. */
async function sweep(service: IssuanceService<FakeTaskStores>): Promise<void> {
  while ((await service.closing.sweep(SWEEP_LIMIT)) > 0) await service.closing.settled();
}

describe('a provider that is down for an hour with many leases due', () => {
  const stores = new FakeTaskStores();
  const service = new IssuanceService(stores);
  const { scene } = stores;
  const seen = {
    callsPerSecond: [] as number[],
    otherLateSeconds: [] as number[],
    closedWithinSeconds: 0,
    callsPerSecondAfter: [] as number[],
  };
  let calls = 0;
  let down = true;

  const living = (connection: string): number =>
    [...scene.leaseRows.values()].filter((lease) => lease.connection === connection && lease.endedAt === undefined)
      .length;

  beforeAll(async () => {
    const real = service.dummy.revoke.bind(service.dummy);
    service.dummy.revoke = (order: RevocationOrder<never, never>) => {
      const lease = scene.leaseRows.get(order.leaseId);
      if (lease?.connection !== 'crm') return real(order);
      calls += 1;
      return down ? Promise.resolve(UNREACHED) : real(order);
    };
    await service.publish(template('crm', 'crm'));
    for (let n = 0; n < LEASES; n += 1) await service.issue();
    await service.publish(template('files', 'files'));
    await scene.advance(599);
    await runOutage();
    down = false;
    await runRecovery();
    console.log(
      `an hour of outage: ${JSON.stringify({
        calls: seen.callsPerSecond.reduce((sum, one) => sum + one, 0),
        mostCallsInASecond: Math.max(...seen.callsPerSecond),
        otherLateSecondsAtMost: Math.max(...seen.otherLateSeconds),
        closedWithinSeconds: seen.closedWithinSeconds,
        mostCallsInASecondAfter: Math.max(...seen.callsPerSecondAfter),
      })}`,
    );
  }, 1_200_000);

  async function runOutage(): Promise<void> {
    for (let second = 0; second < OUTAGE_SECONDS; second += 1) {
      if (second % OTHER_EVERY_SECONDS === 0) await endAnother();
      await scene.advance(1);
      calls = 0;
      await sweep(service);
      seen.callsPerSecond.push(calls);
    }
  }

  /** Lets a lease of the other connection end, and notes how late its proof comes. */
  async function endAnother(): Promise<void> {
    const { plan } = await service.issue();
    const dueAt = scene.clock.now();
    await service.ending.end({ taskId: plan.task.id, cause: 'completed', actor: MAYFLY });
    const [lease] = await scene.leases(plan.task.id);
    const provenAt = lease?.revokeEffectiveAt;
    seen.otherLateSeconds.push(provenAt === undefined ? Infinity : (provenAt.getTime() - dueAt.getTime()) / 1000);
  }

  async function runRecovery(): Promise<void> {
    for (let second = 1; living('crm') > 0 && second <= 2 * MAX_RETRY_SECONDS; second += 1) {
      await scene.advance(1);
      calls = 0;
      await sweep(service);
      seen.callsPerSecondAfter.push(calls);
      seen.closedWithinSeconds = second;
    }
  }

  it('an outage of one provider delays no lease of another one', () => {
    expect(Math.max(...seen.otherLateSeconds)).toBe(0);
  });

  it('an outage of a provider makes no storm: after the first calls, Mayfly calls it once a second', () => {
    const [first, ...later] = seen.callsPerSecond;
    expect(first).toBeLessThanOrEqual(SWEEP_LIMIT);
    expect(Math.max(...later)).toBeLessThanOrEqual(1);
  });

  it('a provider that comes back gets each lease once, and every lease is closed within the longest pause', () => {
    expect(living('crm')).toBe(0);
    expect(service.dummy.live()).toEqual([]);
    expect(seen.closedWithinSeconds).toBeLessThanOrEqual(MAX_RETRY_SECONDS + 1);
    expect(seen.callsPerSecondAfter.reduce((sum, one) => sum + one, 0)).toBe(LEASES);
  });
});
