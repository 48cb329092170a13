import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { MAYFLY } from '@mayfly/audit';
import { addSeconds, newId, Problem } from '@mayfly/kernel';
import { FakeTaskStores, IssuanceService, templateOf } from '@mayfly/testing';
import type { TaskTemplateSpec } from '@mayfly/templates';
import type { Requester } from './request.js';
import type { Grant } from './task-issuance.js';

describe('TaskRenewal', () => {
  let stores: FakeTaskStores;
  let service: IssuanceService<FakeTaskStores>;
  let grant: Grant;
  let start: Date;

  beforeEach(async () => {
    stores = new FakeTaskStores();
    service = new IssuanceService(stores);
    await service.publish();
    start = stores.scene.clock.now();
    grant = await service.issue();
  });

  afterEach(() => {
    jest.restoreAllMocks();
  });

  const renew = (ttlSeconds?: number, requester: Partial<Requester> = {}) =>
    service.renewal.renew(service.requester(requester), grant.plan.task.id, ttlSeconds);
  const taskNow = async () => (await stores.scene.task(grant.plan.task.id))!;
  const leaseNow = async () => (await stores.scene.leases(grant.plan.task.id))[0]!;
  const denials = () => stores.scene.audit.filter(({ type }) => type === 'task.denied').length;
  const republish = (changes: Partial<TaskTemplateSpec>) => service.publish(templateOf(changes, 2));
  const anotherAgent = (): Partial<Requester> => ({ agent: { ...service.requester().agent, id: newId('agt') } });

  describe('renew', () => {
    it('a renewal is denied under a lockdown that only the store knows, and moves nothing', async () => {
      const before = [await taskNow(), await leaseNow()];
      await stores.scene.lockDown({ kind: 'runtime', name: 'cluster' });
      await expect(renew()).rejects.toMatchObject({ code: 'policy_denied', extensions: { control: 'lockdown' } });
      expect([await taskNow(), await leaseNow()]).toEqual(before);
      expect(denials()).toBe(1);
    });

    it('a renewal moves the deadline of the task, of its leases and of the credential', async () => {
      await stores.scene.advance(300);
      const lifetime = { requestedSeconds: 600, grantedSeconds: 600, limitedBy: 'request' };
      expect(await renew(600)).toEqual({ secrets: new Map(), lifetime });
      const expiresAt = addSeconds(start, 900);
      expect(await taskNow()).toMatchObject({ expiresAt });
      expect(await leaseNow()).toMatchObject({ expiresAt, providerExpiresAt: expiresAt, dueAt: expiresAt });
      expect(service.dummy.live().map((credential) => credential.expiresAt)).toEqual([expiresAt]);
      expect(stores.scene.audit.at(-1)).toMatchObject({ type: 'task.renewed', taskId: grant.plan.task.id });
      expect(stores.scene.outbox.at(-1)).toMatchObject({ reason: 'due', runAt: expiresAt });
    });

    it('a renewal grants the default of the template when nothing is asked for', async () => {
      await stores.scene.advance(300);
      await renew();
      expect((await taskNow()).expiresAt).toEqual(addSeconds(start, 900));
    });

    it('a renewal never passes the longest life of the template, however often it is asked', async () => {
      for (let round = 0; round < 8; round += 1) {
        await stores.scene.advance(250);
        await renew(1_800).catch(() => undefined);
        const { expiresAt } = await taskNow();
        expect(expiresAt.getTime()).toBeLessThanOrEqual(addSeconds(start, 1_800).getTime());
        expect(service.dummy.live().every((credential) => credential.expiresAt <= expiresAt)).toBe(true);
      }
      expect((await taskNow()).expiresAt).toEqual(addSeconds(start, 1_800));
    });

    it('a renewal says that the longest life of the task is reached, and how much of it is left', async () => {
      await stores.scene.advance(250);
      expect(await renew(1_800)).toMatchObject({ lifetime: { grantedSeconds: 1_550, limitedBy: 'maximum' } });
      await stores.scene.advance(250);
      const lifetime = { requestedSeconds: 1_800, grantedSeconds: 1_300, limitedBy: 'maximum' };
      expect(await renew(1_800)).toEqual({ secrets: new Map(), lifetime });
    });

    it.each([
      ['no lifetime', undefined],
      ['less than what is left', 60],
    ])(
      'a renewal says that the longest life of the task is reached when %s is asked for then',
      async (_, ttlSeconds) => {
        await stores.scene.advance(250);
        await renew(1_800);
        expect(await renew(ttlSeconds)).toMatchObject({ lifetime: { grantedSeconds: 1_550, limitedBy: 'maximum' } });
      },
    );

    it.each(['renew', 'heartbeat'] as const)(
      'a task past its deadline refuses to %s before it is closed',
      async (step) => {
        await stores.scene.advance(600);
        expect(await taskNow()).toMatchObject({ state: 'active' });
        const asked = jest.spyOn(service.dummy, 'renew');
        await expect(
          step === 'renew' ? renew(600) : service.renewal.heartbeat(service.requester(), grant.plan.task.id),
        ).rejects.toMatchObject({ code: 'conflict', detail: expect.stringContaining('has ended: expired') });
        expect(asked).not.toHaveBeenCalled();
        expect(await taskNow()).toMatchObject({ expiresAt: addSeconds(start, 600) });
      },
    );

    it('a renewal replaces a lease that a cut-off disabled, although its deadline cannot move', async () => {
      const { id } = grant.plan.leases[0]!;
      stores.scene.leaseRows.set(id, { ...stores.scene.leaseRows.get(id)!, renewRequestedAt: start });
      const asked = jest.spyOn(service.dummy, 'renew');
      await renew(600);
      expect(asked).toHaveBeenCalledTimes(1);
      expect(stores.scene.leaseRows.get(id)?.renewRequestedAt).toBeUndefined();
      await renew(600);
      expect(asked).toHaveBeenCalledTimes(1);
    });

    it('a renewal records that something may be issued before a provider with a shared revocation point issues it', async () => {
      const { id } = grant.plan.leases[0]!;
      stores.scene.leaseRows.set(id, { ...stores.scene.leaseRows.get(id)!, revocationPoint: 'role/crm' });
      const order: string[] = [];
      const recording = stores.tasks.reissuing.bind(stores.tasks);
      jest.spyOn(stores.tasks, 'reissuing').mockImplementation((...asked) => {
        order.push('recorded');
        return recording(...asked);
      });
      const renewing = service.dummy.renew.bind(service.dummy);
      jest.spyOn(service.dummy, 'renew').mockImplementation((...asked) => {
        order.push('issued');
        return renewing(...asked);
      });
      await stores.scene.advance(300);
      await renew(600);
      expect(order).toEqual(['recorded', 'issued']);
    });

    it('a renewal is refused, and audited, while a connection of the task is disabled', async () => {
      service.disable('crm');
      await expect(renew(600)).rejects.toMatchObject({
        code: 'policy_denied',
        extensions: { control: 'connection-state' },
      });
      expect(denials()).toBe(1);
    });

    it('a renewal is refused while the connection of a living lease is disabled, although the version in force names another', async () => {
      const { credentials, requesters } = grant.plan.assessment.template.version.spec;
      await republish({ requesters, credentials: credentials.map((one) => ({ ...one, connection: 'crm-2' })) });
      service.disable('crm');
      await expect(renew(600)).rejects.toMatchObject({ extensions: { control: 'connection-state' } });
    });

    it('a renewal never passes the longest life of the version in force either', async () => {
      await republish({ lifetime: { defaultSeconds: 600, maxSeconds: 700 } });
      await stores.scene.advance(300);
      await renew();
      expect((await taskNow()).expiresAt).toEqual(addSeconds(start, 700));
    });

    it('a renewal never passes the longest life with which the task began, although the version in force allows more', async () => {
      await republish({ lifetime: { defaultSeconds: 600, maxSeconds: 3_000 } });
      await stores.scene.advance(300);
      await renew(2_500);
      expect((await taskNow()).expiresAt).toEqual(addSeconds(start, 1_800));
    });

    it('a renewal never passes the proven identity', async () => {
      await stores.scene.advance(300);
      await renew(1_000, { identityExpiresAt: addSeconds(start, 650) });
      expect((await taskNow()).expiresAt).toEqual(addSeconds(start, 650));
    });

    it('a renewal never moves the deadline back, and grants at least the remaining lifetime', async () => {
      await stores.scene.advance(300);
      const lifetime = { requestedSeconds: 60, grantedSeconds: 300, limitedBy: 'request' };
      expect(await renew(60)).toEqual({ secrets: new Map(), lifetime });
      expect((await taskNow()).expiresAt).toEqual(addSeconds(start, 600));
      expect(service.dummy.live()[0]?.expiresAt).toEqual(addSeconds(start, 600));
    });

    it('a renewal commits the granted deadline before any provider moves its own', async () => {
      await stores.scene.advance(300);
      const renewDummy = service.dummy.renew.bind(service.dummy);
      jest.spyOn(service.dummy, 'renew').mockImplementation(async (order, handle) => {
        expect((await leaseNow()).expiresAt).toEqual(order.expiresAt);
        expect((await taskNow()).expiresAt).toEqual(order.expiresAt);
        return renewDummy(order, handle);
      });
      await renew();
      expect.assertions(2);
    });

    it('a renewal moves nothing at the provider when the deadline cannot be committed', async () => {
      await stores.scene.advance(300);
      stores.scene.auditFails = true;
      await expect(renew()).rejects.toMatchObject({ code: 'unavailable' });
      expect(service.dummy.live()[0]?.expiresAt).toEqual(addSeconds(start, 600));
    });

    it('a renewal gives new material for a credential that had to be issued again', async () => {
      const renewDummy = service.dummy.renew.bind(service.dummy);
      jest.spyOn(service.dummy, 'renew').mockImplementation(async (order, handle) => ({
        ...(await renewDummy(order, handle)),
        secret: { token: 'new' },
      }));
      await stores.scene.advance(300);
      expect((await renew()).secrets).toEqual(new Map([[grant.plan.leases[0]?.id, { token: 'new' }]]));
      expect(JSON.stringify(stores.scene.audit)).not.toContain('"token"');
    });

    it('a renewal restores nothing that was revoked during it', async () => {
      await stores.scene.advance(300);
      stores.tasks.afterRenewal = () =>
        service.ending.end({ taskId: grant.plan.task.id, cause: 'revoked', actor: MAYFLY });
      await expect(renew()).rejects.toMatchObject({ code: 'provider_rejected' });
      expect(service.dummy.live()).toEqual([]);
      expect(await leaseNow()).toMatchObject({ state: 'revoked' });
    });

    it('a renewal is refused when the agent has lost its right, and says so in the audit', async () => {
      const { agent } = service.requester();
      await expect(renew(600, { agent: { ...agent, labels: {} } })).rejects.toMatchObject({
        code: 'policy_denied',
        extensions: { control: 'template-requesters' },
      });
      expect(denials()).toBe(1);
    });

    it('a renewal is refused from another runtime, also where the template allows it, and says so in the audit', async () => {
      const { agents } = grant.plan.assessment.template.version.spec.requesters;
      await republish({ requesters: { agents, runtimes: ['cluster', 'laptop'] } });
      await expect(renew(600, { runtime: 'laptop' })).rejects.toMatchObject({
        code: 'policy_denied',
        extensions: { control: 'runtime-boundary' },
      });
      expect(denials()).toBe(1);
      expect((await taskNow()).expiresAt).toEqual(grant.plan.task.expiresAt);
    });

    it.each<[string, Partial<TaskTemplateSpec>]>([
      [
        'grants less',
        { credentials: [{ name: 'crm', provider: 'dummy', connection: 'crm', scope: { permissions: ['less'] } }] },
      ],
      [
        'has no such credential',
        {
          credentials: [
            { name: 'other', provider: 'dummy', connection: 'crm', scope: { permissions: [{ $param: 'region' }] } },
          ],
        },
      ],
    ])('a renewal is refused when the version in force %s, and says so in the audit', async (_, changes) => {
      await republish(changes);
      await expect(renew()).rejects.toMatchObject({
        code: 'policy_denied',
        extensions: { control: 'template-lifecycle' },
      });
      expect(denials()).toBe(1);
    });

    it('a renewal is refused when the template is gone', async () => {
      service.retire('read-cases');
      await expect(renew()).rejects.toMatchObject({ code: 'not_found' });
    });

    it.each(['ending', 'ended'])('a renewal is refused for a task that is %s', async (state) => {
      if (state === 'ending') service.dummy.switches.loseRevocations(1);
      await service.ending.end({ taskId: grant.plan.task.id, cause: 'completed', actor: MAYFLY });
      await expect(renew()).rejects.toMatchObject({ code: 'conflict', extensions: { taskId: grant.plan.task.id } });
    });

    it('a renewal is refused for a task past its deadline, although the sweeper has not come yet', async () => {
      await stores.scene.advance(601);
      await expect(renew()).rejects.toMatchObject({ code: 'conflict' });
      expect(service.dummy.live()).toEqual([]);
    });

    it('a renewal does not show that the task of another agent exists', async () => {
      await expect(renew(600, anotherAgent())).rejects.toMatchObject({ code: 'not_found' });
      await expect(service.renewal.renew(service.requester(), newId('tsk'), 60)).rejects.toMatchObject({
        code: 'not_found',
      });
    });

    it('a renewal fails with the error of the provider, and the grant stays', async () => {
      await stores.scene.advance(300);
      jest.spyOn(service.dummy, 'renew').mockRejectedValue(new Problem('provider_unavailable', 'no answer'));
      await expect(renew()).rejects.toMatchObject({ code: 'provider_unavailable' });
      expect((await taskNow()).expiresAt).toEqual(addSeconds(start, 900));
      expect(await leaseNow()).toMatchObject({ providerExpiresAt: addSeconds(start, 600) });
    });
  });
});
