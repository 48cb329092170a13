import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { addSeconds } from '@mayfly/kernel';
import type { TaskIntent } from '@mayfly/issuance';
import { CLAIM_SECONDS, type LeaseClaim } from '@mayfly/revocation';
import type { TaskEndCause } from '@mayfly/tasks';
import { activationOf, type IntentOptions } from '../builders.js';
import type { LeaseView, TaskStores } from '../task-stores.js';
import { activeTask, endTask, expectRightFacts, openedTask, proofOf, retryOf } from './task-steps.js';

/** Tests of results that every `ClosingStore` must pass. `make` returns stores without rows. */
export function closingResultsSuite(make: () => TaskStores | Promise<TaskStores>): void {
  describe('a closing store', () => {
    let stores: TaskStores;

    beforeEach(async () => {
      stores = await make();
    });

    afterEach(() => expectRightFacts(stores));

    const active = (options?: IntentOptions) => activeTask(stores, options);
    const end = (intent: TaskIntent, cause?: TaskEndCause) => endTask(stores, intent, cause);
    const leasesOf = ({ task }: TaskIntent) => stores.scene.leases(task.id);
    const auditOf = ({ task }: TaskIntent) => stores.scene.auditTypes(task.id);
    const proof = (claim: LeaseClaim, state?: 'revoked' | 'expired') => proofOf(stores, claim, state);
    const retry = (claim: LeaseClaim, seconds?: number) => retryOf(stores, claim, seconds);

    describe('record', () => {
      it('a closing store keeps what a target acknowledged, gives it to the next claim, and loses it to no later failure', async () => {
        const intent = await active();
        const [claim] = await end(intent);
        expect(claim?.effectiveAt).toBeUndefined();
        const effectiveAt = addSeconds(stores.scene.clock.now(), 60);
        await stores.closing.record([{ ...retry(claim!, 1), effectiveAt }]);
        expect(await leasesOf(intent)).toMatchObject([{ state: 'revoking', revokeEffectiveAt: effectiveAt }]);
        await stores.scene.advance(2);
        const [second] = await stores.closing.claimDue({ limit: 1 });
        expect(second?.effectiveAt).toEqual(effectiveAt);
        await stores.closing.record([retry(second!, 1)]);
        expect(await leasesOf(intent)).toMatchObject([{ state: 'revoking', revokeEffectiveAt: effectiveAt }]);
      });

      it('a closing store ends the lease on proof, and with the last lease the task, once', async () => {
        const intent = await active({ connections: ['crm', 'files'] });
        const claims = await end(intent);
        await stores.closing.record([proof(claims[0]!)]);
        expect(await stores.scene.task(intent.task.id)).toMatchObject({ state: 'active', liveLeases: 1 });
        expect(await stores.scene.runningTasks(intent.quota.scope)).toBe(1);
        await stores.closing.record([proof(claims[1]!)]);
        expect(await stores.scene.task(intent.task.id)).toMatchObject({ state: 'completed', liveLeases: 0 });
        expect(await stores.scene.runningTasks(intent.quota.scope)).toBe(0);
        const at = stores.scene.clock.now();
        for (const { state, dueAt, revokeEffectiveAt } of await leasesOf(intent)) {
          expect([state, dueAt]).toEqual(['revoked', undefined]);
          expect(Math.abs(revokeEffectiveAt!.getTime() - at.getTime())).toBeLessThan(2_000);
        }
        expect((await auditOf(intent)).slice(6)).toEqual(['lease.revoked', 'lease.revoked', 'task.ended']);
      });

      it.each([
        ['completed', 'completed'],
        ['failed', 'failed'],
        ['expired', 'expired'],
        ['revoked', 'revoked'],
        ['heartbeat_lost', 'revoked'],
        ['agent_suspended', 'revoked'],
        ['agent_retired', 'revoked'],
        ['issuance_failed', 'failed'],
      ] as const)('a closing store ends a task whose cause is %s as %s', async (cause, state) => {
        const intent = await active();
        const [claim] = await end(intent, cause);
        await stores.closing.record([proof(claim!, cause === 'expired' ? 'expired' : 'revoked')]);
        expect(await stores.scene.task(intent.task.id)).toMatchObject({ state, endCause: cause });
      });

      it('a closing store ends several leases of several tasks with one call', async () => {
        const intents = [await active({ connections: ['crm', 'files'] }), await active()];
        const claims = [...(await end(intents[0]!)), ...(await end(intents[1]!))];
        await stores.closing.record(claims.map((claim) => proof(claim)));
        for (const { task } of intents) {
          expect(await stores.scene.task(task.id)).toMatchObject({ state: 'completed', liveLeases: 0 });
        }
        expect(await stores.scene.runningTasks(intents[0]!.quota.scope)).toBe(0);
      });

      it('a closing store keeps a lease revoking without proof, wakes the worker and offers it again', async () => {
        const intent = await active();
        const [claim] = await end(intent);
        const result = retry(claim!);
        await stores.closing.record([result]);
        expect(await leasesOf(intent)).toMatchObject([{ state: 'revoking', lastError: 'the target did not answer' }]);
        const [lease] = await leasesOf(intent);
        const { retryAt } = result;
        expect(lease?.dueAt).toEqual(retryAt);
        expect(await stores.scene.wakeUps(claim!.id)).toContainEqual({
          leaseId: claim!.id,
          reason: 'retry',
          runAt: retryAt,
        });
        expect(await stores.closing.claimDue({ limit: 10 })).toEqual([]);
        await stores.scene.advance(4.5);
        const [again] = await stores.closing.claimDue({ limit: 10 });
        expect(again).toMatchObject({ id: claim!.id, attempts: 2, cause: 'completed' });
        await stores.closing.record([proof(again!)]);
        expect(await leasesOf(intent)).toMatchObject([{ state: 'revoked', lastError: undefined }]);
      });

      it.each(['proof', 'retry'] as const)(
        'a closing store ignores %s from a worker whose lease another one claimed',
        async (kind) => {
          const intent = await active();
          const [stale] = await end(intent);
          await stores.scene.advance(CLAIM_SECONDS + 1);
          const [fresh] = await stores.closing.claimDue({ limit: 10 });
          const before = await leasesOf(intent);
          await stores.closing.record([kind === 'proof' ? proof(stale!) : retry(stale!)]);
          expect(await leasesOf(intent)).toEqual(before);
          await stores.closing.record([proof(fresh!)]);
          expect(await leasesOf(intent)).toMatchObject([{ state: 'revoked' }]);
        },
      );

      it('a closing store counts a repeated result once', async () => {
        const intent = await active({ connections: ['crm', 'files'] });
        const [claim] = await end(intent);
        await Promise.all([1, 2, 3].map(() => stores.closing.record([proof(claim!)])));
        await stores.closing.record([retry(claim!)]);
        expect(await stores.scene.task(intent.task.id)).toMatchObject({ state: 'active', liveLeases: 1 });
        const types = await auditOf(intent);
        expect(types.filter((type) => type === 'lease.revoked')).toHaveLength(1);
      });

      it('a closing store counts a result once that is repeated in one call, or follows the result of a lapsed claim in it', async () => {
        const intent = await active({ connections: ['crm', 'files', 'mail'] });
        const [stale] = await end(intent);
        await stores.scene.advance(CLAIM_SECONDS + 1);
        const fresh = (await stores.closing.claimDue({ limit: 10 })).find(({ id }) => id === stale?.id);
        await stores.closing.record([proof(stale!), proof(fresh!), proof(fresh!)]);
        expect(await stores.scene.task(intent.task.id)).toMatchObject({ state: 'active', liveLeases: 2 });
        expect((await auditOf(intent)).filter((type) => type === 'lease.revoked')).toHaveLength(1);
      });

      it('a closing store names the agent of each closed lease in the audit', async () => {
        const intent = await active();
        await stores.closing.record((await end(intent)).map((claim) => proof(claim)));
        const entries = (await stores.scene.auditBodies()).map((body) => JSON.parse(body) as { type: string });
        const { name: agent } = intent.task.agent;
        expect(entries).toContainEqual(expect.objectContaining({ type: 'lease.revoked', agent }));
      });

      it('a closing store gives the quota back once when the last two leases end at the same time', async () => {
        const intent = await active({ connections: ['crm', 'files'] });
        await active();
        const claims = await end(intent);
        await Promise.all(claims.map((claim) => stores.closing.record([proof(claim)])));
        expect(await stores.scene.runningTasks(intent.quota.scope)).toBe(1);
        expect((await auditOf(intent)).filter((type) => type === 'task.ended')).toHaveLength(1);
      });

      it('a closing store does nothing without results', async () => {
        await expect(stores.closing.record([])).resolves.toBeUndefined();
      });
    });

    it('a closing store keeps a due time on every lease that is not terminal', async () => {
      const seen: LeaseView[] = [];
      const look = async (intent: TaskIntent) => seen.push(...(await leasesOf(intent)));
      const intent = await openedTask(stores);
      await look(intent);
      await stores.issuance.activate(activationOf(intent));
      await look(intent);
      const [claim] = await end(intent);
      await look(intent);
      await stores.closing.record([retry(claim!, 0)]);
      await look(intent);
      const [again] = await stores.closing.claimDue({ limit: 10 });
      await stores.closing.record([proof(again!)]);
      await look(intent);
      expect(seen.map(({ state, dueAt }) => [state, dueAt !== undefined])).toEqual([
        ['minting', true],
        ['active', true],
        ['revoking', true],
        ['revoking', true],
        ['revoked', false],
      ]);
    });
  });
}
