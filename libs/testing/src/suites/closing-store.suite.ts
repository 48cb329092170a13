import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TaskIntent } from '@mayfly/issuance';
import { CLAIM_SECONDS, type LeaseClaim } from '@mayfly/revocation';
import type { EndRequest, TaskEndCause } from '@mayfly/tasks';
import { addSeconds } from '@mayfly/kernel';
import { activationOf, type IntentOptions, taskIntent } from '../builders.js';
import type { TaskStores } from '../task-stores.js';
import { activeTask, endTask, expectRightFacts, openedTask, proofOf, retryOf } from './task-steps.js';

/** Tests of ends and claims that every `ClosingStore` must pass. `make` returns stores without rows. */
export function closingStoreSuite(make: () => TaskStores | Promise<TaskStores>): void {
  describe('a closing store', () => {
    let stores: TaskStores;

    beforeEach(async () => {
      stores = await make();
    });

    afterEach(() => expectRightFacts(stores));

    const minting = (options?: IntentOptions) => openedTask(stores, options);
    const active = (options?: IntentOptions) => activeTask(stores, options);
    const end = (intent: TaskIntent, cause?: TaskEndCause, more?: Partial<EndRequest>) =>
      endTask(stores, intent, cause, more);
    const leasesOf = ({ task }: TaskIntent) => stores.scene.leases(task.id);
    const auditOf = ({ task }: TaskIntent) => stores.scene.auditTypes(task.id);
    const idsOf = (rows: readonly { readonly id: string }[]) => rows.map(({ id }) => id).sort();
    const proof = (claim: LeaseClaim, state?: 'revoked' | 'expired') => proofOf(stores, claim, state);
    const retry = (claim: LeaseClaim, seconds?: number) => retryOf(stores, claim, seconds);

    describe('requestEnd', () => {
      it('a request to end a task marks and claims every active lease, with what revocation needs', async () => {
        const intent = await active({ connections: ['crm', 'files'] });
        const claims = await end(intent);
        expect(idsOf(claims)).toEqual(idsOf(intent.leases));
        expect(claims[0]).toMatchObject({
          taskId: intent.task.id,
          provider: 'dummy',
          connection: 'crm',
          cause: 'completed',
          expiresAt: intent.task.expiresAt,
          attempts: 1,
        });
        expect(Buffer.from(claims[0]!.sealedHandle)).toEqual(activationOf(intent).leases[0]?.sealedHandle);
        const leases = await leasesOf(intent);
        expect(leases.map(({ state, endCause }) => [state, endCause])).toEqual(
          leases.map(() => ['revoking', 'completed']),
        );
        expect(leases.every(({ revokeRequestedAt }) => revokeRequestedAt !== undefined)).toBe(true);
        expect((await auditOf(intent)).slice(3)).toEqual(['task.ending', 'lease.revoking', 'lease.revoking']);
      });

      it('a request to end a task keeps the first cause and reason, and claims no lease that is being closed', async () => {
        const intent = await active();
        await end(intent, 'completed', { reason: 'all done' });
        expect(await end(intent, 'revoked', { reason: 'too late' })).toEqual([]);
        expect(await stores.scene.task(intent.task.id)).toMatchObject({ endCause: 'completed', endReason: 'all done' });
        expect(await leasesOf(intent)).toMatchObject([{ endCause: 'completed', attempts: 1 }]);
        expect((await auditOf(intent)).slice(2)).toEqual(['task.ending', 'lease.revoking']);
      });

      it('a request to end a task lets one of many concurrent causes win, and gives each lease to one of them', async () => {
        const intent = await active({ connections: ['crm', 'files', 'mail'] });
        const causes = ['completed', 'failed', 'revoked', 'expired'] as const;
        const claims = await Promise.all(causes.map((cause) => end(intent, cause)));
        const { endCause } = (await stores.scene.task(intent.task.id))!;
        expect(idsOf(claims.flat())).toEqual(idsOf(intent.leases));
        expect(new Set([...claims.flat().map(({ cause }) => cause), endCause])).toEqual(new Set([endCause]));
        expect((await auditOf(intent)).filter((type) => type === 'task.ending')).toHaveLength(1);
      });

      it('a request to end a task leaves a lease that may still be coming into being until its due time', async () => {
        const intent = await minting();
        const dueAt = addSeconds(intent.task.createdAt, 12);
        expect(await end(intent, 'revoked')).toEqual([]);
        expect(await leasesOf(intent)).toMatchObject([{ state: 'revoking', dueAt, attempts: 0 }]);
        expect(await stores.closing.claimDue({ limit: 10 })).toEqual([]);
        await stores.scene.advance(12);
        expect(await stores.closing.claimDue({ limit: 10 })).toMatchObject([{ cause: 'revoked', attempts: 1 }]);
      });

      it('a request to end a task claims a lease whose mint is known to be over, also when the end was asked for before', async () => {
        const intent = await minting();
        await end(intent, 'revoked');
        const minted = idsOf(intent.leases) as LeaseClaim['id'][];
        expect(await end(intent, 'issuance_failed', { minted })).toMatchObject([{ cause: 'revoked' }]);
      });

      it('a request to end a task claims a minting lease whose mint can no longer happen', async () => {
        const intent = await minting();
        await stores.scene.advance(11.5);
        expect(await end(intent)).toHaveLength(1);
      });

      it('a request to end a task ends leases that were proven never minted as failed, and leaves the others to be closed', async () => {
        const intent = await minting({ connections: ['crm', 'files', 'mail'] });
        const [never, minted, unknown] = intent.leases.map(({ id }) => id);
        const claims = await end(intent, 'issuance_failed', { neverMinted: [never!], minted: [minted!] });
        expect(idsOf(claims)).toEqual([minted]);
        expect((await leasesOf(intent)).map(({ id, state }) => [id, state])).toEqual([
          [never, 'failed'],
          [minted, 'revoking'],
          [unknown, 'revoking'],
        ]);
        expect(await stores.scene.task(intent.task.id)).toMatchObject({ state: 'active', liveLeases: 2 });
      });

      it('a request to end a task ends the task at once when nothing of it was ever minted', async () => {
        const intent = await minting();
        expect(await end(intent, 'issuance_failed', { neverMinted: intent.leases.map(({ id }) => id) })).toEqual([]);
        expect(await stores.scene.task(intent.task.id)).toMatchObject({ state: 'failed', liveLeases: 0 });
        expect(await stores.scene.runningTasks(intent.quota.scope)).toBe(0);
        expect((await auditOf(intent)).slice(1)).toEqual(['task.ending', 'lease.failed', 'task.ended']);
      });

      it('a request to end a task does not take "never minted" for a lease that is active or on its way out', async () => {
        const running = await active();
        await end(running, 'issuance_failed', { neverMinted: running.leases.map(({ id }) => id) });
        expect(await leasesOf(running)).toMatchObject([{ state: 'revoking' }]);
      });

      it('a request to end a task leaves a lease in its pause when the end is asked for again', async () => {
        const intent = await active();
        await stores.scene.advance(20);
        const [claim] = await end(intent);
        await stores.closing.record([retry(claim!, 60)]);
        expect(await end(intent)).toEqual([]);
        expect(await leasesOf(intent)).toMatchObject([{ attempts: 1 }]);
        await stores.scene.advance(60);
        expect(await end(intent)).toMatchObject([{ attempts: 2 }]);
      });

      it('a request to end a task changes nothing of a task that has ended, or that never was', async () => {
        const intent = await active();
        await stores.closing.record((await end(intent)).map((claim) => proof(claim)));
        expect(await end(intent, 'revoked')).toEqual([]);
        expect(await end(taskIntent(stores.scene.clock))).toEqual([]);
        expect(await stores.scene.task(intent.task.id)).toMatchObject({ state: 'completed', endCause: 'completed' });
        expect(await leasesOf(intent)).toMatchObject([{ state: 'revoked' }]);
      });
    });

    describe('claimDue', () => {
      it('a claim of due leases claims nothing before its time', async () => {
        await active();
        await stores.scene.advance(599);
        expect(await stores.closing.claimDue({ limit: 10 })).toEqual([]);
      });

      it.each([
        ['expired', 'at the deadline of the task', 600, {}],
        ['heartbeat_lost', 'when no sign of life came', 30, { heartbeatTimeoutSeconds: 30 }],
      ] as const)('a claim of due leases ends the task as %s %s', async (cause, _, seconds, options) => {
        const intent = await active({ ...options, connections: ['crm', 'files'] });
        await stores.scene.advance(seconds);
        const claims = await stores.closing.claimDue({ limit: 10 });
        expect(idsOf(claims)).toEqual(idsOf(intent.leases));
        expect(claims.map((claim) => claim.cause)).toEqual([cause, cause]);
        expect(await stores.scene.task(intent.task.id)).toMatchObject({ state: 'active', endCause: cause });
        expect((await auditOf(intent)).slice(3)).toEqual(['task.ending', 'lease.revoking', 'lease.revoking']);
      });

      it('a claim of due leases revokes a mint without a result', async () => {
        const intent = await minting();
        await stores.scene.advance(12);
        expect(await stores.closing.claimDue({ limit: 10 })).toMatchObject([{ cause: 'issuance_failed' }]);
        expect(await leasesOf(intent)).toMatchObject([{ state: 'revoking' }]);
      });

      it('a claim of due leases gives out no claimed lease until the claim lapses', async () => {
        await active();
        await stores.scene.advance(600);
        const [first] = await stores.closing.claimDue({ limit: 10 });
        expect(await stores.closing.claimDue({ limit: 10 })).toEqual([]);
        await stores.scene.advance(CLAIM_SECONDS + 1);
        const [second] = await stores.closing.claimDue({ limit: 10 });
        expect(second).toMatchObject({ id: first?.id, attempts: 2 });
        expect(second?.version).toBeGreaterThan(first!.version);
      });

      it('a claim of due leases gives each due lease to one of many workers', async () => {
        const intents = [await active({ connections: ['crm', 'files'] }), await active(), await active()];
        await stores.scene.advance(600);
        const claims: LeaseClaim[] = [];
        // A round skips rows that another worker has locked; a later round claims them.
        for (let round = 0; round < 4; round += 1) {
          claims.push(...(await Promise.all([1, 2, 3].map(() => stores.closing.claimDue({ limit: 10 })))).flat());
        }
        expect(idsOf(claims)).toEqual(idsOf(intents.flatMap(({ leases }) => leases)));
      });

      it('a claim of due leases leaves busy connections for later', async () => {
        const intent = await active({ connections: ['crm', 'files'] });
        await stores.scene.advance(600);
        const claims = await stores.closing.claimDue({ limit: 10, busyConnections: ['crm'] });
        expect(claims.map(({ connection }) => connection)).toEqual(['files']);
        expect((await leasesOf(intent)).map(({ state }) => state)).toEqual(['active', 'revoking']);
        expect(await stores.closing.claimDue({ limit: 10 })).toMatchObject([{ connection: 'crm', cause: 'expired' }]);
      });

      it('a claim of due leases leaves busy lanes for later', async () => {
        await active({ connections: ['crm', 'files'] });
        await stores.scene.advance(600);
        const busy = (agent: string) => ({ limit: 10, busyLanes: [{ connection: 'crm', agent }] });
        const claims = await stores.closing.claimDue(busy('support-agent'));
        expect(claims.map(({ connection }) => connection)).toEqual(['files']);
        expect(await stores.closing.claimDue(busy('another-agent'))).toMatchObject([{ connection: 'crm' }]);
      });

      it('a claim of due leases takes no more leases of one agent at one connection than it may', async () => {
        await active({ connections: ['crm', 'crm', 'files'] });
        await stores.scene.advance(600);
        const claims = await stores.closing.claimDue({ limit: 10, limitPerLane: 1 });
        expect(claims.map(({ connection }) => connection).sort()).toEqual(['crm', 'files']);
      });

      it('a claim of due leases claims one lease only when asked for it', async () => {
        const intent = await active({ connections: ['crm', 'files'] });
        const { id: leaseId } = intent.leases[1]!;
        expect(await stores.closing.claimDue({ limit: 1, leaseId })).toEqual([]);
        await stores.scene.advance(600);
        expect(idsOf(await stores.closing.claimDue({ limit: 1, leaseId }))).toEqual([leaseId]);
      });

      it('a claim of due leases claims no more than the limit, the longest overdue first', async () => {
        const late = await active({ lifetimeSeconds: 300 });
        await active({ lifetimeSeconds: 600 });
        await stores.scene.advance(600);
        expect(idsOf(await stores.closing.claimDue({ limit: 1 }))).toEqual(idsOf(late.leases));
      });
    });
  });
}
