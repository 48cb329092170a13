import { bareEntry } from '../bare-entry.js';
import { MAYFLY } from '@mayfly/audit';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { addSeconds, newId } from '@mayfly/kernel';
import { activationOf, declareFor, taskIntent, type IntentOptions } from '../builders.js';
import type { LockdownScope } from '@mayfly/tasks';
import type { TaskStores } from '../task-stores.js';
import { expectRightFacts } from './task-steps.js';

const OTHER_TEMPLATE = { name: 'write-cases', version: 1 };

/** Lockdowns that cover the tasks of the suite, and lockdowns that do not. */
const LOCKDOWNS: readonly LockdownScope[] = [
  { kind: 'all', name: '' },
  { kind: 'agent', name: 'support-agent' },
  { kind: 'template', name: 'read-cases' },
  { kind: 'runtime', name: 'cluster' },
  { kind: 'issuer', name: 'cluster' },
  { kind: 'connection', name: 'crm' },
];
const OTHER_LOCKDOWNS: readonly LockdownScope[] = [
  { kind: 'agent', name: 'read-cases' },
  { kind: 'template', name: 'support-agent' },
  { kind: 'runtime', name: 'developer-laptop' },
  { kind: 'issuer', name: 'github' },
  { kind: 'connection', name: 'cr' },
  { kind: 'owner', name: 'support-agent' },
  { kind: 'task', name: 'support-agent' },
];

/** Tests that every `IssuanceStore` must pass. `make` returns stores without rows. */
export function issuanceStoreSuite(make: () => TaskStores | Promise<TaskStores>): void {
  describe('an issuance store', () => {
    let stores: TaskStores;

    beforeEach(async () => {
      stores = await make();
    });

    afterEach(() => expectRightFacts(stores));

    const intend = async (options: IntentOptions = {}) => {
      const intent = taskIntent(stores.scene.clock, options);
      await declareFor(stores.scene, intent);
      return intent;
    };
    const opened = async (options: IntentOptions = {}) => {
      const intent = await intend(options);
      expect(await stores.issuance.open(intent)).toBe('opened');
      return intent;
    };

    describe('open', () => {
      it('an issuance store writes the task, its leases, its audit entry and its quota', async () => {
        const intent = await opened({ connections: ['crm', 'files'] });
        const due = addSeconds(intent.task.createdAt, 12);
        expect(await stores.scene.task(intent.task.id)).toMatchObject({ state: 'active', liveLeases: 2 });
        expect(await stores.scene.leases(intent.task.id)).toMatchObject([
          { id: intent.leases[0]?.id, state: 'minting', dueAt: due, expiresAt: intent.task.expiresAt },
          { id: intent.leases[1]?.id, state: 'minting', dueAt: due, expiresAt: intent.task.expiresAt },
        ]);
        expect(await stores.scene.auditTypes(intent.task.id)).toEqual(['task.granted']);
        expect(await stores.scene.runningTasks(intent.quota.scope)).toBe(1);
      });

      it('an issuance store writes leases without remote effect as active', async () => {
        const intent = await opened({ leaseState: 'active' });
        expect(await stores.scene.leases(intent.task.id)).toMatchObject([
          { state: 'active', dueAt: intent.task.expiresAt },
        ]);
      });

      it.each([
        ['the agent is suspended', 'agent', {}],
        ['nobody declared the agent', 'agent', { agentId: newId('agt') }],
        ['another template version is in force', 'template', { template: { name: 'read-cases', version: 2 } }],
        ['nobody declared the template', 'template', { template: { name: 'write-cases', version: 1 } }],
      ] as const)('an issuance store writes nothing when %s', async (name, verdict, options) => {
        const declared = await intend();
        if (name.endsWith('suspended')) await stores.scene.setAgent(declared.task.agent.id, 'suspended');
        const intent = taskIntent(stores.scene.clock, options);
        expect(await stores.issuance.open(intent)).toBe(verdict);
        await expectNothing(intent);
      });

      it('an issuance store writes nothing when the template is retired', async () => {
        const intent = await intend();
        await stores.scene.setTemplate(intent.task.template.name, undefined);
        expect(await stores.issuance.open(intent)).toBe('template');
        await expectNothing(intent);
      });

      it('an issuance store writes nothing when a connection of the task is disabled', async () => {
        const intent = await intend({ connections: ['files', 'crm'] });
        await stores.scene.disableConnection('crm');
        expect(await stores.issuance.open(intent)).toBe('connection');
        await expectNothing(intent);
        await opened({ connections: ['files'] });
      });

      it.each(LOCKDOWNS)('an issuance store writes nothing under a lockdown of %j', async (scope) => {
        const intent = await intend({ connections: ['files', 'crm'] });
        await stores.scene.lockDown(scope);
        expect(await stores.issuance.open(intent)).toBe('lockdown');
        await expectNothing(intent);
      });

      it.each(OTHER_LOCKDOWNS)('an issuance store grants beside a lockdown of %j', async (scope) => {
        await stores.scene.lockDown(scope);
        await opened({ connections: ['files', 'crm'] });
      });

      it('an issuance store gives a request under a lockdown its own verdict, and opens those beside it', async () => {
        const [under, beside] = [
          await intend({ connections: ['files', 'crm'] }),
          await intend({ connections: ['files'] }),
        ];
        await stores.scene.lockDown({ kind: 'connection', name: 'crm' });
        expect(await Promise.all([under, beside].map((intent) => stores.issuance.open(intent)))).toEqual([
          'lockdown',
          'opened',
        ]);
        await expectNothing(under, 1);
      });

      it.each([-6, 6])(
        'an issuance store writes nothing when the clock of the replica is %i s off',
        async (seconds) => {
          const intent = await intend({ createdAt: addSeconds(stores.scene.clock.now(), seconds) });
          expect(await stores.issuance.open(intent)).toBe('clock');
          await expectNothing(intent);
        },
      );

      it.each([-4, 4])('an issuance store bears a clock that is %i s off', async (seconds) => {
        await opened({ createdAt: addSeconds(stores.scene.clock.now(), seconds) });
      });

      it('an issuance store grants as many tasks at once as the scope allows, and one more when one has ended', async () => {
        const options = { quota: { concurrentTasks: 2 } };
        const first = await opened(options);
        await opened(options);
        const refused = await intend(options);
        expect(await stores.issuance.open(refused)).toBe('quota');
        await expectNothing(refused, 2);
        await endAtOnce(first);
        await opened(options);
      });

      it('an issuance store grants as many tasks in a minute as the scope allows, whether they have ended or not', async () => {
        const options = { quota: { tasksPerMinute: 2 } };
        await endAtOnce(await opened(options));
        await stores.scene.advance(30);
        await opened(options);
        expect(await stores.issuance.open(await intend(options))).toBe('quota');
        await stores.scene.advance(31);
        await opened(options);
        expect(await stores.issuance.open(await intend(options))).toBe('quota');
      });

      it('an issuance store takes and gives back nothing when a new version allows fewer tasks than run', async () => {
        const { scope } = (await opened()).quota;
        await opened();
        const refused = await intend({ quota: { concurrentTasks: 1, tasksPerMinute: 1 } });
        expect(await stores.issuance.open(refused)).toBe('quota');
        await expectNothing(refused, 2);
        const limits = { tasksPerMinute: 5, concurrentTasks: 5 };
        expect(await stores.issuance.quotaLeft(scope, limits)).toEqual({ tasksThisMinute: 3, concurrentTasks: 3 });
      });

      it('an issuance store counts each scope by itself, and all versions of a template together', async () => {
        const quota = { concurrentTasks: 1 };
        await opened({ quota });
        await opened({ quota, template: { name: 'write-cases', version: 1 } });
        expect(await stores.issuance.open(await intend({ quota, template: { name: 'read-cases', version: 2 } }))).toBe(
          'quota',
        );
      });

      it('an issuance store gives each of many requests its own verdict', async () => {
        const quota = { concurrentTasks: 2 };
        const good = [await intend({ quota }), await intend({ quota }), await intend({ quota })];
        const others = [
          taskIntent(stores.scene.clock, { agentId: newId('agt') }),
          taskIntent(stores.scene.clock, { template: { name: 'read-cases', version: 7 } }),
          taskIntent(stores.scene.clock, { createdAt: addSeconds(stores.scene.clock.now(), -60) }),
        ];
        const intents = [...others, ...good];
        const verdicts = await Promise.all(intents.map((intent) => stores.issuance.open(intent)));
        expect(verdicts).toEqual(['agent', 'template', 'clock', 'opened', 'opened', 'quota']);
        const written = await Promise.all(intents.map(({ task }) => stores.scene.task(task.id)));
        expect(written.map((task) => task !== undefined)).toEqual(verdicts.map((verdict) => verdict === 'opened'));
        const entries = await Promise.all(intents.map(({ task }) => stores.scene.auditTypes(task.id)));
        expect(entries.map(({ length }) => length)).toEqual([0, 0, 0, 1, 1, 0]);
      });
    });

    describe('activate', () => {
      it.each([...LOCKDOWNS, 'task' as const])(
        'an issuance store activates no lease under a lockdown of %j that came after the intent, and delivers nothing',
        async (scope) => {
          const [intent, beside] = [await opened({ connections: ['crm'] }), await opened({ template: OTHER_TEMPLATE })];
          await stores.scene.lockDown(scope === 'task' ? { kind: 'task', name: intent.task.id } : scope);
          expect(await stores.issuance.activate(activationOf(intent))).toBe(false);
          expect(await stores.scene.leases(intent.task.id)).toMatchObject([{ state: 'minting' }]);
          expect(await stores.scene.auditTypes(intent.task.id)).toEqual(['task.granted']);
          if (scope === 'task') expect(await stores.issuance.activate(activationOf(beside))).toBe(true);
        },
      );

      it('an activation makes all leases of the task active, with their audit entries and wake-ups', async () => {
        const intent = await opened({ connections: ['crm', 'files'], heartbeatTimeoutSeconds: 30 });
        expect(await stores.issuance.activate(activationOf(intent))).toBe(true);
        const dueAt = addSeconds(intent.task.createdAt, 30);
        const { expiresAt } = intent.task;
        expect(await stores.scene.leases(intent.task.id)).toMatchObject([
          { state: 'active', dueAt, providerExpiresAt: expiresAt },
          { state: 'active', dueAt, providerExpiresAt: expiresAt },
        ]);
        expect(await stores.scene.auditTypes(intent.task.id)).toEqual(['task.granted', 'lease.issued', 'lease.issued']);
        const { id } = intent.leases[1]!;
        expect(await stores.scene.wakeUps(id)).toEqual([{ leaseId: id, reason: 'due', runAt: dueAt }]);
      });

      it('an activation changes nothing of a task that was ended meanwhile', async () => {
        const intent = await opened();
        const { id } = intent.task;
        await stores.closing.requestEnd({ taskId: id, cause: 'revoked', actor: MAYFLY });
        const before = [await stores.scene.leases(id), await stores.scene.auditTypes(id)];
        expect(await stores.issuance.activate(activationOf(intent))).toBe(false);
        expect([await stores.scene.leases(id), await stores.scene.auditTypes(id)]).toEqual(before);
        expect(await stores.scene.wakeUps(intent.leases[0]!.id)).toEqual([]);
      });

      it('an activation changes nothing of a task whose mint was taken for lost', async () => {
        const intent = await opened();
        await stores.scene.advance(13);
        await stores.closing.claimDue({ limit: 10 });
        expect(await stores.issuance.activate(activationOf(intent))).toBe(false);
        expect(await stores.scene.leases(intent.task.id)).toMatchObject([{ state: 'revoking' }]);
      });

      it('an activation that is repeated changes and writes nothing', async () => {
        const intent = await opened();
        const { id } = intent.leases[0]!;
        expect(await stores.issuance.activate(activationOf(intent))).toBe(true);
        expect(await stores.issuance.activate(activationOf(intent))).toBe(false);
        expect(await stores.scene.auditTypes(intent.task.id)).toEqual(['task.granted', 'lease.issued']);
        expect(await stores.scene.wakeUps(id)).toHaveLength(1);
      });

      it('an activation changes nothing of a task of which one mint was taken for lost, also not the other leases', async () => {
        const intent = await intend({ connections: ['crm', 'files'] });
        const [first, second] = [intent.leases[0]!, intent.leases[1]!];
        const slow = { ...second, mintBy: addSeconds(second.mintBy, 60), dueAt: addSeconds(second.dueAt, 60) };
        expect(await stores.issuance.open({ ...intent, leases: [first, slow] })).toBe('opened');
        await stores.scene.advance(13);
        expect(await stores.closing.claimDue({ limit: 10 })).toHaveLength(1);
        expect(await stores.issuance.activate(activationOf(intent))).toBe(false);
        expect(await stores.scene.leases(intent.task.id)).toMatchObject([{ state: 'revoking' }, { state: 'minting' }]);
      });

      it('an activation knows nothing of a task that was never opened', async () => {
        expect(await stores.issuance.activate(activationOf(await intend()))).toBe(false);
      });

      it('an activation gives each of many tasks its own answer', async () => {
        const [ended, living] = [await opened(), await opened()];
        await stores.closing.requestEnd({ taskId: ended.task.id, cause: 'revoked', actor: MAYFLY });
        const answers = [ended, living].map((intent) => stores.issuance.activate(activationOf(intent)));
        expect(await Promise.all(answers)).toEqual([false, true]);
      });
    });

    describe('recordHandle', () => {
      const sealed = Buffer.from('a completed handle');

      it('the record of a handle replaces the handle while the lease is being minted, and says that the mint may go on', async () => {
        const intent = await opened();
        expect(await stores.issuance.recordHandle(intent.leases[0]!.id, sealed)).toBe(true);
        await stores.scene.advance(13);
        const [claim] = await stores.closing.claimDue({ limit: 1 });
        expect(Buffer.from(claim!.sealedHandle)).toEqual(sealed);
      });

      it('the record of a handle keeps the handle of a task that was ended meanwhile, and says that the mint may not go on', async () => {
        const intent = await opened();
        const { id } = intent.leases[0]!;
        await stores.closing.requestEnd({ taskId: intent.task.id, cause: 'revoked', actor: MAYFLY });
        expect(await stores.issuance.recordHandle(id, sealed)).toBe(false);
        await stores.scene.advance(13);
        const [claim] = await stores.closing.claimDue({ limit: 1 });
        expect(Buffer.from(claim!.sealedHandle)).toEqual(sealed);
      });

      it('the record of a handle changes nothing of a lease that is active or unknown', async () => {
        const intent = await opened();
        await stores.issuance.activate(activationOf(intent));
        expect(await stores.issuance.recordHandle(intent.leases[0]!.id, sealed)).toBe(false);
        expect(await stores.issuance.recordHandle(newId('lse'), sealed)).toBe(false);
      });
    });

    describe('quotaLeft', () => {
      const limits = { tasksPerMinute: 5, concurrentTasks: 3 };

      it('the quota left in an issuance store is everything while nothing was taken', async () => {
        expect(await stores.issuance.quotaLeft('template/nobody', limits)).toEqual({
          tasksThisMinute: 5,
          concurrentTasks: 3,
        });
      });

      it('the quota left in an issuance store follows the taken quota, and never falls below none', async () => {
        const { scope } = (await opened()).quota;
        await endAtOnce(await opened());
        expect(await stores.issuance.quotaLeft(scope, limits)).toEqual({ tasksThisMinute: 3, concurrentTasks: 2 });
        const none = { tasksPerMinute: 1, concurrentTasks: 0 };
        expect(await stores.issuance.quotaLeft(scope, none)).toEqual({ tasksThisMinute: 0, concurrentTasks: 0 });
        await stores.scene.advance(61);
        expect(await stores.issuance.quotaLeft(scope, limits)).toEqual({ tasksThisMinute: 5, concurrentTasks: 2 });
      });
    });

    it('an issuance store records entries that belong to no change', async () => {
      const taskId = newId('tsk');
      const entries = [1, 2].map(() => bareEntry('task.denied', stores.scene.clock.now(), MAYFLY, { taskId }, {}));
      await stores.issuance.record(entries);
      expect(await stores.scene.auditTypes(taskId)).toEqual(['task.denied', 'task.denied']);
    });

    async function expectNothing({ task, leases, quota }: ReturnType<typeof taskIntent>, running = 0): Promise<void> {
      expect(await stores.scene.task(task.id)).toBeUndefined();
      expect(await stores.scene.leases(task.id)).toEqual([]);
      expect(await stores.scene.auditTypes(task.id)).toEqual([]);
      expect(await stores.scene.wakeUps(leases[0]!.id)).toEqual([]);
      expect(await stores.scene.runningTasks(quota.scope)).toBe(running);
    }

    async function endAtOnce({ task, leases }: ReturnType<typeof taskIntent>): Promise<void> {
      const neverMinted = leases.map(({ id }) => id);
      await stores.closing.requestEnd({ taskId: task.id, cause: 'failed', actor: MAYFLY, neverMinted });
    }
  });
}
