import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { newId } from '@mayfly/kernel';
import type { TaskIntent } from '@mayfly/issuance';
import { CLAIM_SECONDS, type LeaseClaim } from '@mayfly/revocation';
import type { IntentOptions } from '../builders.js';
import type { TaskStores } from '../task-stores.js';
import { activeTask, endTask, expectRightFacts, proofOf, retryOf } from './task-steps.js';

const actor = { kind: 'person', issuer: 'staff', subject: 'olivia' } as const;

/** Tests of abandoned leases that every `ClosingStore` must pass. `make` returns stores without rows. */
export function abandonmentSuite(make: () => TaskStores | Promise<TaskStores>): void {
  describe('a closing store', () => {
    let stores: TaskStores;

    beforeEach(async () => {
      stores = await make();
    });

    afterEach(() => expectRightFacts(stores));

    const abandon = (leaseId: LeaseClaim['id'], reason = 'the server is gone') =>
      stores.closing.abandon({ leaseId, reason, actor });
    const leasesOf = ({ task }: TaskIntent) => stores.scene.leases(task.id);
    const auditOf = ({ task }: TaskIntent) => stores.scene.auditTypes(task.id);

    /** Makes a task whose end was requested, with the claims on its leases. */
    async function ending(options?: IntentOptions): Promise<{ intent: TaskIntent; claims: readonly LeaseClaim[] }> {
      const intent = await activeTask(stores, options);
      return { intent, claims: await endTask(stores, intent) };
    }

    async function failed(options?: IntentOptions): Promise<{ intent: TaskIntent; claims: readonly LeaseClaim[] }> {
      const made = await ending(options);
      await stores.closing.record(made.claims.map((claim) => retryOf(stores, claim)));
      return made;
    }

    describe('abandon', () => {
      it('a closing store abandons a lease whose revocation failed, and keeps its last error', async () => {
        const { intent, claims } = await failed();
        const { taskId, expiresAt, id } = claims[0]!;
        const at = stores.scene.clock.now().getTime();
        const result = await abandon(id);
        const found = { taskId, state: 'revoking', expiresAt, lastError: 'the target did not answer' };
        expect(result).toEqual({ found, abandonedAt: expect.any(Date) });
        expect(Math.abs(result!.abandonedAt!.getTime() - at)).toBeLessThan(2_000);
        expect(await leasesOf(intent)).toMatchObject([
          { state: 'abandoned', dueAt: undefined, lastError: 'the target did not answer', endCause: 'completed' },
        ]);
        expect((await leasesOf(intent))[0]!.revokeEffectiveAt).toBeUndefined();
      });

      it('a closing store abandons a lease whose deadline passed, also during its first try', async () => {
        const { intent, claims } = await ending({ lifetimeSeconds: 20 });
        await stores.scene.advance(20.5);
        expect(await abandon(claims[0]!.id)).toMatchObject({ abandonedAt: expect.any(Date) });
        expect(await leasesOf(intent)).toMatchObject([{ state: 'abandoned' }]);
      });

      it('a closing store abandons no lease before its deadline while no try has failed', async () => {
        const { intent, claims } = await ending();
        const { taskId, expiresAt, id } = claims[0]!;
        expect(await abandon(id)).toEqual({ found: { taskId, state: 'revoking', expiresAt } });
        expect(await leasesOf(intent)).toMatchObject([{ state: 'revoking' }]);
        expect(await auditOf(intent)).not.toContain('lease.abandoned');
      });

      it('a closing store abandons no active lease, also after its deadline', async () => {
        const intent = await activeTask(stores);
        await stores.scene.advance(601);
        const { id } = intent.leases[0]!;
        expect(await abandon(id)).toMatchObject({ found: { state: 'active' } });
        expect(await leasesOf(intent)).toMatchObject([{ state: 'active' }]);
      });

      it('a closing store abandons no revoked lease', async () => {
        const { intent, claims } = await ending();
        await stores.closing.record([proofOf(stores, claims[0]!)]);
        const before = await leasesOf(intent);
        const result = await abandon(claims[0]!.id);
        expect([result?.found.state, result?.abandonedAt]).toEqual(['revoked', undefined]);
        expect(await leasesOf(intent)).toEqual(before);
      });

      it('a closing store abandons a lease once, with the first reason', async () => {
        const { intent, claims } = await failed();
        await abandon(claims[0]!.id, 'the first');
        const again = await abandon(claims[0]!.id, 'the second');
        expect([again?.found.state, again?.abandonedAt]).toEqual(['abandoned', undefined]);
        expect((await auditOf(intent)).filter((type) => type === 'lease.abandoned')).toHaveLength(1);
        expect((await stores.scene.auditBodies()).join()).not.toContain('the second');
      });

      it('a closing store answers a request for an unknown lease with undefined', async () => {
        expect(await abandon(newId('lse'))).toBeUndefined();
      });

      it('a closing store records who abandoned a lease and why, then the end of the task', async () => {
        const { intent, claims } = await failed();
        await abandon(claims[0]!.id);
        expect((await auditOf(intent)).slice(-2)).toEqual(['lease.abandoned', 'task.ended']);
        const entries = (await stores.scene.auditBodies()).map((body) => JSON.parse(body) as object);
        expect(entries).toContainEqual(
          expect.objectContaining({
            ...{ type: 'lease.abandoned', actor, leaseId: claims[0]!.id, taskId: intent.task.id },
            ...{ agent: intent.task.agent.name, provider: 'dummy', cause: 'completed', reason: 'the server is gone' },
            ...{ expiresAt: claims[0]!.expiresAt.toISOString(), lastError: 'the target did not answer' },
          }),
        );
        expect((await stores.scene.auditBodies()).join()).not.toContain('lease.revoked');
      });

      it('a closing store ends the task with its last lease and gives its quota back once', async () => {
        const { intent, claims } = await failed({ connections: ['crm', 'files'] });
        await abandon(claims[0]!.id);
        expect(await stores.scene.task(intent.task.id)).toMatchObject({ state: 'active', liveLeases: 1 });
        expect(await stores.scene.runningTasks(intent.quota.scope)).toBe(1);
        await abandon(claims[1]!.id);
        await abandon(claims[1]!.id);
        expect(await stores.scene.task(intent.task.id)).toMatchObject({ state: 'completed', liveLeases: 0 });
        expect(await stores.scene.runningTasks(intent.quota.scope)).toBe(0);
      });

      it('a closing store offers an abandoned lease to no worker', async () => {
        const { claims } = await failed();
        await abandon(claims[0]!.id);
        await stores.scene.advance(3_600);
        expect(await stores.closing.claimDue({ limit: 10 })).toEqual([]);
        expect(await stores.closing.claimDue({ limit: 1, leaseId: claims[0]!.id })).toEqual([]);
      });

      it.each(['proof', 'retry'] as const)(
        'a closing store ignores a %s that comes after its lease was abandoned',
        async (kind) => {
          const { intent } = await failed();
          await stores.scene.advance(CLAIM_SECONDS);
          const [claim] = await stores.closing.claimDue({ limit: 10 });
          await abandon(claim!.id);
          const before = await leasesOf(intent);
          await stores.closing.record([kind === 'proof' ? proofOf(stores, claim!) : retryOf(stores, claim!)]);
          expect(await leasesOf(intent)).toEqual(before);
          expect(before).toMatchObject([{ state: 'abandoned' }]);
          expect(await stores.scene.runningTasks(intent.quota.scope)).toBe(0);
        },
      );
    });
  });
}
