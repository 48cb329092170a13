import { beforeEach, describe, expect, it } from '@jest/globals';
import { MAYFLY } from '@mayfly/audit';
import { newId } from '@mayfly/kernel';
import { FakeTaskStores, IssuanceService, templateOf } from '@mayfly/testing';
import type { Requester } from './request.js';
import type { Grant } from './task-issuance.js';

describe('TaskRenewal.heartbeat', () => {
  let stores: FakeTaskStores;
  let service: IssuanceService<FakeTaskStores>;
  let grant: Grant;

  const beat = (requester: Partial<Requester> = {}) =>
    service.renewal.heartbeat(service.requester(requester), grant.plan.task.id);

  beforeEach(async () => {
    stores = new FakeTaskStores();
    service = new IssuanceService(stores);
    await service.publish(templateOf({ heartbeat: { timeoutSeconds: 30 } }));
    grant = await service.issue();
  });

  it('a heartbeat keeps the task, as long as it comes in time', async () => {
    for (let round = 0; round < 3; round += 1) {
      await stores.scene.advance(29);
      await beat();
    }
    expect(await service.closing.sweep(10)).toBe(0);
    await stores.scene.advance(30);
    expect(await service.closing.sweep(10)).toBe(1);
    await service.closing.settled();
    expect(await stores.scene.task(grant.plan.task.id)).toMatchObject({ state: 'revoked', endCause: 'heartbeat_lost' });
  });

  it('a heartbeat does not keep it beyond its deadline', async () => {
    await stores.scene.advance(29);
    for (let round = 0; round < 28; round += 1) {
      await beat();
      await stores.scene.advance(20);
    }
    await beat();
    expect((await stores.scene.leases(grant.plan.task.id))[0]).toMatchObject({ dueAt: grant.plan.task.expiresAt });
  });

  it('a heartbeat does not show that the task of another agent exists', async () => {
    await expect(beat({ agent: { ...service.requester().agent, id: newId('agt') } })).rejects.toMatchObject({
      code: 'not_found',
    });
  });

  it('a heartbeat is denied and audited under a lockdown, also when its end is recorded already', async () => {
    const id = await stores.scene.lockDown({ kind: 'task', name: grant.plan.task.id });
    const denied = { code: 'policy_denied', extensions: { control: 'lockdown' }, detail: expect.stringContaining(id) };
    await expect(beat()).rejects.toMatchObject(denied);
    await service.ending.end({ taskId: grant.plan.task.id, cause: 'lockdown', actor: MAYFLY });
    await expect(beat()).rejects.toMatchObject(denied);
    expect(stores.scene.audit.filter(({ type }) => type === 'task.denied')).toHaveLength(2);
  });

  it('a heartbeat is refused for a task that is ending', async () => {
    await service.ending.end({ taskId: grant.plan.task.id, cause: 'completed', actor: MAYFLY });
    await expect(beat()).rejects.toMatchObject({ code: 'conflict' });
  });
});
