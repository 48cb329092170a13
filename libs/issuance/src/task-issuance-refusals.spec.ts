import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Json, Problem } from '@mayfly/kernel';
import type { Verdict } from '@mayfly/policy';
import { FakeTaskStores, IssuanceService, templateOf } from '@mayfly/testing';
import type { Requester, TaskRequest } from './request.js';

describe('a request that is refused', () => {
  let stores: FakeTaskStores;
  let service: IssuanceService<FakeTaskStores>;

  beforeEach(async () => {
    stores = new FakeTaskStores();
    service = new IssuanceService(stores);
    await service.publish();
  });

  const problemOf = (work: Promise<unknown>): Promise<Problem> =>
    work.then(
      () => Promise.reject(new Error('it was granted')),
      (error: unknown) => error as Problem,
    );
  const auditTypes = () => stores.scene.audit.map(({ type }) => type);
  const region = (value: Json) => ({ parameters: { region: value } });
  const suspended = (requester: Requester): Requester => ({
    ...requester,
    agent: { ...requester.agent, state: 'suspended' },
  });

  it.each<[string, string, string, Partial<TaskRequest>, ((requester: Requester) => Requester)?]>([
    ['an unknown template', 'not_found', 'template-lifecycle', { template: 'nobody' }],
    ['wrong parameters', 'invalid_parameters', 'parameters', region('mars')],
    ['a control', 'policy_denied', 'agent-lifecycle', {}, suspended],
    ['a lifetime below the floor', 'policy_denied', 'lifetime', { ttlSeconds: 0 }],
  ])('a refusal for %s is in the audit before it is answered', async (_, code, control, request, as = (one) => one) => {
    const problem = await problemOf(service.issue(request, as(service.requester())));
    expect(problem).toMatchObject({ code });
    expect(
      stores.scene.audit.map(({ type, body }) => [type, (JSON.parse(body) as { control: string }).control]),
    ).toEqual([['task.denied', control]]);
    expect(service.metrics.denials).toEqual([control]);
    expect(service.steps).not.toContain('plan');
    expect(service.identityUses).toEqual([]);
  });

  it('a request that is refused has the verdict of every control of a task in the audit, in their order', async () => {
    await problemOf(service.issue({ ttlSeconds: 0, ...region('mars') }, suspended(service.requester())));
    const [entry] = stores.scene.audit.map(({ body }) => JSON.parse(body) as { controls: Verdict[] });
    expect(entry?.controls.map(({ control, outcome }) => `${control} ${outcome}`)).toEqual([
      'identity permit',
      'permission permit',
      'lockdown permit',
      'template-lifecycle permit',
      'parameters deny',
      'agent-lifecycle deny',
      'template-requesters permit',
      'runtime-boundary permit',
      'lifetime deny',
      'connection-state permit',
      'decision-point not_evaluated',
      'quota-concurrent-tasks not_evaluated',
      'quota-tasks-per-minute not_evaluated',
      'policy not_evaluated',
    ]);
  });

  it('a request that is refused has nothing in the audit that the caller put in place of a parameter name', async () => {
    const problem = await problemOf(service.issue({ parameters: { region: 'emea', hunter2hunter2: 'x' } }));
    expect(problem.extensions.errors).toMatchObject([{ pointer: '/parameters/hunter2hunter2' }]);
    expect(stores.scene.audit).toHaveLength(1);
    expect(JSON.stringify(stores.scene.audit)).not.toContain('hunter2');
  });

  it('a request that is refused is not answered as denied when the denial cannot be written', async () => {
    stores.scene.auditFails = true;
    expect(await problemOf(service.issue({ template: 'nobody' }))).toMatchObject({ code: 'unavailable' });
  });

  it('a request that is refused because its connection is missing is in the audit as well', async () => {
    service.disconnect('crm');
    expect(await problemOf(service.issue())).toMatchObject({ code: 'provider_rejected' });
    expect(auditTypes()).toEqual(['task.denied']);
  });

  it.each([
    ['quota-concurrent-tasks', { tasksPerMinute: 9, concurrentTasks: 1 }, 5],
    ['quota-tasks-per-minute', { tasksPerMinute: 1, concurrentTasks: 9 }, 60],
  ])(
    'a request that is refused by %s names the limit and its value, and says when to come again',
    async (control, quota, retryAfterSeconds) => {
      await service.publish(templateOf({ quota }));
      await service.issue();
      const problem = await problemOf(service.issue());
      const name = control === 'quota-concurrent-tasks' ? 'concurrentTasks' : 'tasksPerMinute';
      const extensions = { control, limit: { name, value: 1 } };
      expect(problem).toMatchObject({ code: 'quota_exceeded', retryAfterSeconds, extensions });
      expect(problem.detail).toContain(`allows 1 tasks`);
      expect(problem.detail).toContain(`\`quota.${name}\``);
      expect(auditTypes().at(-1)).toBe('task.denied');
      expect(service.dummy.live()).toHaveLength(1);
      expect(service.identityUses).toEqual(['consumed', 'consumed', 'given back']);
    },
  );

  it.each<[string, string, () => Promise<void>]>([
    ['policy_denied', 'agent-lifecycle', () => stores.scene.setAgent(service.requester().agent.id, 'suspended')],
    ['policy_denied', 'template-lifecycle', () => stores.scene.setTemplate('read-cases', 2)],
  ])('a request that is refused by the database as %s (%s) mints nothing', async (code, control, change) => {
    await change();
    expect(await problemOf(service.issue())).toMatchObject({ code, extensions: { control } });
    expect(auditTypes()).toEqual(['task.denied']);
    expect(service.dummy.live()).toEqual([]);
  });

  it('a request that is refused because the clocks differ is no fault of the caller', async () => {
    stores.issuance.before.open = () => stores.scene.advance(6);
    expect(await problemOf(service.issue())).toMatchObject({ code: 'unavailable', retryAfterSeconds: 5 });
  });
});
