import { bareEntry } from '../bare-entry.js';
import { MAYFLY } from '@mayfly/audit';
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Renewal, TaskIntent } from '@mayfly/issuance';
import { addSeconds, newId } from '@mayfly/kernel';
import { activationOf, type IntentOptions } from '../builders.js';
import type { TaskStores } from '../task-stores.js';
import { activeTask } from './task-steps.js';

/** Tests that every `TaskStore` must pass. `make` returns stores without rows. */
export function taskStoreSuite(make: () => TaskStores | Promise<TaskStores>): void {
  describe('a task store', () => {
    let stores: TaskStores;

    beforeEach(async () => {
      stores = await make();
    });

    const active = (options?: IntentOptions) => activeTask(stores, options);

    function renewalOf({ task, leases }: TaskIntent, expiresAt: Date, dueAt = expiresAt): Renewal {
      return {
        taskId: task.id,
        expiresAt,
        dueAt,
        audit: [bareEntry('task.renewed', stores.scene.clock.now(), MAYFLY, { taskId: task.id }, {})],
        wakeUps: leases.map(({ id }) => ({ leaseId: id, reason: 'due', runAt: dueAt })),
      };
    }

    /** Makes a task that is ending, has ended or is past its deadline, or that a lockdown covers. */
    async function ending(way: string): Promise<TaskIntent> {
      const intent = await active({ heartbeatTimeoutSeconds: 1_000 });
      if (way === 'past its deadline') await stores.scene.advance(601);
      else if (way === 'under a lockdown') await stores.scene.lockDown({ kind: 'connection', name: 'crm' });
      else {
        const claims = await stores.closing.requestEnd({ taskId: intent.task.id, cause: 'completed', actor: MAYFLY });
        const effectiveAt = stores.scene.clock.now();
        if (way === 'ended') {
          await stores.closing.record(claims.map((claim) => ({ claim, state: 'revoked', effectiveAt })));
        }
      }
      return intent;
    }
    const WAYS = ['ending', 'ended', 'past its deadline', 'under a lockdown'];

    describe('find', () => {
      it('a task store gives a task back as it was opened, with its leases', async () => {
        const intent = await active({ connections: ['crm', 'files'], heartbeatTimeoutSeconds: 30 });
        const found = await stores.tasks.find(intent.task.id);
        const { leases, ...task } = found!;
        expect(task).toEqual(intent.task);
        expect(leases.map(({ id, connection, state }) => [id, connection, state])).toEqual(
          intent.leases.map(({ id, connection }) => [id, connection, 'active']),
        );
        expect(leases[0]).toMatchObject({
          taskId: intent.task.id,
          provider: 'dummy',
          revocation: 'immediate',
          scope: { permissions: ['cases:read'] },
          providerExpiresAt: intent.task.expiresAt,
        });
        expect(Buffer.from(leases[0]!.sealedHandle)).toEqual(activationOf(intent).leases[0]?.sealedHandle);
        expect(found).not.toHaveProperty('endCause');
      });

      it('a task store tells how a task ended', async () => {
        const found = await stores.tasks.find((await ending('ended')).task.id);
        expect(found).toMatchObject({ state: 'completed', endCause: 'completed', leases: [{ state: 'revoked' }] });
        expect(found?.endedAt).toBeInstanceOf(Date);
      });

      it('a task store tells the lockdown that covers a task, and no other', async () => {
        const [intent, beside] = [await active({ connections: ['crm'] }), await active({ connections: ['files'] })];
        expect(await stores.tasks.find(intent.task.id)).not.toHaveProperty('lockdownId');
        const id = await stores.scene.lockDown({ kind: 'connection', name: 'crm' });
        expect(await stores.tasks.find(intent.task.id)).toMatchObject({ lockdownId: id });
        expect(await stores.tasks.find(beside.task.id)).not.toHaveProperty('lockdownId');
      });

      it('a task store does not find another task', async () => {
        expect(await stores.tasks.find(newId('tsk'))).toBeUndefined();
      });
    });

    describe('renew', () => {
      it('a renewal in a task store moves the deadline of the task and of its leases, with audit and wake-ups', async () => {
        const intent = await active();
        const expiresAt = addSeconds(intent.task.expiresAt, 300);
        expect(await stores.tasks.renew(renewalOf(intent, expiresAt))).toBe(true);
        expect(await stores.scene.task(intent.task.id)).toMatchObject({ expiresAt });
        expect(await stores.scene.leases(intent.task.id)).toMatchObject([{ expiresAt, dueAt: expiresAt }]);
        expect((await stores.scene.auditTypes(intent.task.id)).at(-1)).toBe('task.renewed');
        const { id } = intent.leases[0]!;
        expect(await stores.scene.wakeUps(id)).toContainEqual({ leaseId: id, reason: 'due', runAt: expiresAt });
      });

      it('a renewal in a task store counts as a heartbeat', async () => {
        const intent = await active({ heartbeatTimeoutSeconds: 30 });
        await stores.scene.advance(20);
        await stores.tasks.renew(renewalOf(intent, addSeconds(intent.task.expiresAt, 60)));
        const { heartbeatAt } = (await stores.tasks.find(intent.task.id))!;
        expect(Math.abs(heartbeatAt!.getTime() - stores.scene.clock.now().getTime())).toBeLessThan(2_000);
      });

      it('a renewal in a task store moves no heartbeat back, and keeps that of a task without a timeout', async () => {
        for (const options of [{ heartbeatTimeoutSeconds: 30 }, {}]) {
          const intent = await active(options);
          const ahead = addSeconds(stores.scene.clock.now(), 3);
          await stores.tasks.heartbeat(intent.task.id, ahead, addSeconds(ahead, 30));
          await stores.tasks.renew(renewalOf(intent, addSeconds(intent.task.expiresAt, 60)));
          expect(await stores.tasks.find(intent.task.id)).toMatchObject({ heartbeatAt: ahead });
        }
      });

      it.each(WAYS)('a renewal in a task store refuses a task that is %s, and writes nothing', async (way) => {
        const intent = await ending(way);
        const before = [await stores.scene.leases(intent.task.id), await stores.scene.auditTypes(intent.task.id)];
        expect(await stores.tasks.renew(renewalOf(intent, addSeconds(intent.task.expiresAt, 300)))).toBe(false);
        expect([await stores.scene.leases(intent.task.id), await stores.scene.auditTypes(intent.task.id)]).toEqual(
          before,
        );
        expect(await stores.scene.task(intent.task.id)).toMatchObject({ expiresAt: intent.task.expiresAt });
      });

      it('a renewal in a task store does not move a deadline back when renewals overtake each other', async () => {
        const intent = await active();
        const [sooner, later] = [60, 900].map((seconds) => addSeconds(intent.task.expiresAt, seconds));
        await stores.tasks.renew(renewalOf(intent, later!));
        await stores.tasks.renew(renewalOf(intent, sooner!));
        expect(await stores.scene.task(intent.task.id)).toMatchObject({ expiresAt: later });
        expect(await stores.scene.leases(intent.task.id)).toMatchObject([{ expiresAt: later, dueAt: later }]);
      });

      it('a renewal in a task store makes an unclaimed task no longer due at its old deadline', async () => {
        const intent = await active();
        await stores.tasks.renew(renewalOf(intent, addSeconds(intent.task.expiresAt, 300)));
        await stores.scene.advance(601);
        expect(await stores.closing.claimDue({ limit: 10 })).toEqual([]);
      });
    });

    describe('heartbeat', () => {
      it('a heartbeat in a task store moves the due time of the leases and leaves the deadline', async () => {
        const intent = await active({ heartbeatTimeoutSeconds: 30 });
        await stores.scene.advance(20);
        const at = stores.scene.clock.now();
        expect(await stores.tasks.heartbeat(intent.task.id, at, addSeconds(at, 30))).toBe(true);
        expect(await stores.tasks.find(intent.task.id)).toMatchObject({ heartbeatAt: at });
        expect(await stores.scene.leases(intent.task.id)).toMatchObject([
          { dueAt: addSeconds(at, 30), expiresAt: intent.task.expiresAt },
        ]);
        await stores.scene.advance(20);
        expect(await stores.closing.claimDue({ limit: 10 })).toEqual([]);
      });

      it.each(WAYS)('a heartbeat in a task store refuses a task that is %s', async (way) => {
        const intent = await ending(way);
        const before = await stores.scene.leases(intent.task.id);
        const at = stores.scene.clock.now();
        expect(await stores.tasks.heartbeat(intent.task.id, at, addSeconds(at, 30))).toBe(false);
        expect(await stores.scene.leases(intent.task.id)).toEqual(before);
      });

      it('a heartbeat in a task store does not bring back the due time of before a renewal that overtook it', async () => {
        const intent = await active();
        const later = addSeconds(intent.task.expiresAt, 300);
        await stores.tasks.renew(renewalOf(intent, later));
        await stores.tasks.heartbeat(intent.task.id, stores.scene.clock.now(), intent.task.expiresAt);
        expect(await stores.scene.leases(intent.task.id)).toMatchObject([{ dueAt: later }]);
      });
    });

    describe('reissuing', () => {
      it.each([
        ['active', true],
        ['ending', false],
        ['past its deadline', false],
        ['under a lockdown', false],
      ] as const)('a reissue in a task store is allowed while the task is %s: %s', async (state, allowed) => {
        const intent = state === 'active' ? await active() : await ending(state);
        const until = addSeconds(stores.scene.clock.now(), 10);
        expect(await stores.tasks.reissuing(intent.leases[0]!.id, until)).toBe(allowed);
      });
    });

    describe('renewedAtProvider', () => {
      it('a task store notes the new expiry of an active lease', async () => {
        const intent = await active();
        const later = addSeconds(intent.task.expiresAt, 300);
        await stores.tasks.renewedAtProvider(intent.leases[0]!.id, later);
        expect(await stores.scene.leases(intent.task.id)).toMatchObject([{ providerExpiresAt: later }]);
      });

      it.each(WAYS)('a task store notes no new expiry of a lease whose task is %s', async (way) => {
        const intent = await ending(way);
        const later = addSeconds(intent.task.expiresAt, 300);
        expect(await stores.tasks.renewedAtProvider(intent.leases[0]!.id, later)).toBe(false);
        expect(await stores.scene.leases(intent.task.id)).toMatchObject([{ providerExpiresAt: intent.task.expiresAt }]);
      });

      it('a task store leaves a lease alone that is on its way out', async () => {
        const intent = await ending('ending');
        await stores.tasks.renewedAtProvider(intent.leases[0]!.id, addSeconds(intent.task.expiresAt, 300));
        expect(await stores.scene.leases(intent.task.id)).toMatchObject([
          { providerExpiresAt: intent.task.expiresAt, state: 'revoking' },
        ]);
      });
    });
  });
}
