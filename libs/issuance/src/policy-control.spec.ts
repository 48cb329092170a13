import { beforeEach, describe, expect, it } from '@jest/globals';
import { addSeconds } from '@mayfly/kernel';
import type { Obligations, PolicyInput, PolicyVerdict, Verdict } from '@mayfly/policy';
import { FakeTaskStores, IssuanceService, templateOf } from '@mayfly/testing';

const permitted = (obligations: Obligations = {}): PolicyVerdict => ({
  ...{ outcome: 'permit', reason: 'permitted', policies: ['Policy/team/all'], policyDigest: 'digest', obligations },
});
const FORBIDDEN: PolicyVerdict = {
  ...{
    outcome: 'deny',
    reason: 'forbidden',
    policies: ['Policy/guard/night'],
    obligations: {},
    policyDigest: 'digest',
  },
  told: 'no work at night',
};

describe('the control `policy`', () => {
  let stores: FakeTaskStores;
  let service: IssuanceService<FakeTaskStores>;
  let asked: PolicyInput[];

  beforeEach(async () => {
    stores = new FakeTaskStores();
    service = new IssuanceService(stores);
    asked = [];
    await service.publish();
  });

  const decideBy = (verdict: PolicyVerdict): void => {
    service.policies = (input) => {
      asked.push(input);
      return verdict;
    };
  };
  const lastTrace = () => (JSON.parse(stores.scene.audit.at(-1)?.body ?? '{}') as { controls: Verdict[] }).controls;
  const inTrace = () => lastTrace().find(({ control }) => control === 'policy');

  it('the control `policy` denies with the policies that decided, and nothing is planned, counted or minted', async () => {
    decideBy(FORBIDDEN);
    await expect(service.issue()).rejects.toMatchObject({
      code: 'policy_denied',
      detail: 'policy `Policy/guard/night` forbids the request',
      extensions: { control: 'policy', help: 'no work at night' },
    });
    expect(service.steps).not.toContain('plan');
    expect(inTrace()).toMatchObject({ outcome: 'deny', evidence: { policies: ['Policy/guard/night'] } });
    expect(service.metrics.denials).toEqual(['policy']);
  });

  it('the control `policy` is in the trace of a grant, with the policies and the digest of their set', async () => {
    decideBy(permitted());
    await service.issue();
    const granted = stores.scene.audit.find(({ type }) => type === 'task.granted');
    const { controls } = JSON.parse(granted?.body ?? '{}') as { controls: Verdict[] };
    expect(controls.at(-1)).toEqual({
      ...{ control: 'policy', outcome: 'permit' },
      evidence: { reason: 'permitted', policies: ['Policy/team/all'], policyDigest: 'digest' },
    });
  });

  it('the control `policy` is asked about what is proven and declared, and the lifetime that the caller asks for', async () => {
    decideBy(permitted());
    await service.issue({ ttlSeconds: 120 });
    expect(asked).toEqual([
      {
        ...{ action: 'request', phase: 'request', approvals: 0, treeDepth: 0, requestedSeconds: 120 },
        at: stores.scene.clock.now(),
        agent: { name: 'support-agent', labels: { duty: 'support' }, runtime: 'cluster', issuer: 'cluster' },
        template: {
          ...{ name: 'read-cases', version: 1, owner: 'support-platform', labels: {} },
          ...{ connections: ['crm'], providers: ['dummy'] },
        },
      },
    ]);
  });

  it('the control `policy` is not asked about a request that a built-in control denies', async () => {
    decideBy(permitted());
    await expect(service.issue({ parameters: { region: 'mars' } })).rejects.toMatchObject({
      code: 'invalid_parameters',
    });
    expect(asked).toEqual([]);
    expect(inTrace()).toMatchObject({ outcome: 'not_evaluated' });
  });

  it('the control `policy` is part of a dry run, with its obligations', async () => {
    decideBy(permitted({ lifeSeconds: 60 }));
    const request = { template: 'read-cases', parameters: { region: 'emea' }, purpose: 'answer ticket 4711' };
    const preview = await service.issuance.preview(service.requester(), request);
    expect(preview.permitted?.lifetime).toEqual({ grantedSeconds: 60, limitedBy: 'policy' });
    expect(preview.decision.trace.at(-1)).toMatchObject({ evidence: { obligations: { lifeSeconds: 60 } } });
    decideBy(FORBIDDEN);
    expect((await service.issuance.preview(service.requester(), request)).decision.permitted).toBe(false);
  });

  it('an obligation bounds the whole life of a task, renewals included, and never lengthens it', async () => {
    decideBy(permitted({ lifeSeconds: 90 }));
    const start = stores.scene.clock.now();
    const { plan } = await service.issue();
    expect(plan.task).toMatchObject({ expiresAt: addSeconds(start, 90), maxExpiresAt: addSeconds(start, 90) });
    await stores.scene.advance(60);
    decideBy(permitted());
    const { lifetime } = await service.renewal.renew(service.requester(), plan.task.id, 600);
    expect(lifetime).toMatchObject({ grantedSeconds: 30, limitedBy: 'maximum' });
    decideBy(permitted({ lifeSeconds: 43_200 }));
    expect((await service.issue()).plan.task.expiresAt).toEqual(addSeconds(stores.scene.clock.now(), 600));
  });

  it('an obligation that comes into force later bounds the renewals of running tasks', async () => {
    const start = stores.scene.clock.now();
    const { plan } = await service.issue({ ttlSeconds: 100 });
    await stores.scene.advance(60);
    decideBy(permitted({ lifeSeconds: 120 }));
    await service.renewal.renew(service.requester(), plan.task.id, 600);
    expect((await stores.scene.task(plan.task.id))?.expiresAt).toEqual(addSeconds(start, 120));
    expect(asked.at(-1)).toMatchObject({ action: 'renew', phase: 'renew', requestedSeconds: 600 });
  });

  it('a renewal that a policy forbids is denied, and the deadline stays', async () => {
    const { plan } = await service.issue();
    const before = await stores.scene.task(plan.task.id);
    decideBy(FORBIDDEN);
    await expect(service.renewal.renew(service.requester(), plan.task.id, 900)).rejects.toMatchObject({
      extensions: { control: 'policy' },
    });
    expect(await stores.scene.task(plan.task.id)).toEqual(before);
  });

  it('an obligation below the floor of a provider denies by the lifetime, and raises nothing', async () => {
    decideBy(permitted({ lifeSeconds: 1 }));
    await service.publish(templateOf({ lifetime: { defaultSeconds: 600, maxSeconds: 1_800 } }));
    const floor = service.dummy.traits.minTtlSeconds;
    if (floor > 1)
      await expect(service.issue()).rejects.toMatchObject({
        code: 'policy_denied',
        extensions: { control: 'lifetime' },
      });
    else expect((await service.issue()).plan.task.maxExpiresAt).toEqual(addSeconds(stores.scene.clock.now(), 1));
  });

  it('obligations narrow the quota of the template for the request that they permit, and never widen it', async () => {
    decideBy(permitted({ concurrentTasks: 1 }));
    await service.issue();
    await expect(service.issue()).rejects.toMatchObject({
      code: 'quota_exceeded',
      extensions: { control: 'quota-concurrent-tasks', limit: { value: 1 } },
    });
    decideBy(permitted({ concurrentTasks: 10_000_000, tasksPerMinute: 1 }));
    await expect(service.issue()).rejects.toMatchObject({ extensions: { control: 'quota-tasks-per-minute' } });
    decideBy(permitted());
    await service.issue();
    await service.publish(templateOf({ quota: { concurrentTasks: 2, tasksPerMinute: 100 } }, 2));
    decideBy(permitted({ concurrentTasks: 10_000_000 }));
    await expect(service.issue()).rejects.toMatchObject({ extensions: { control: 'quota-concurrent-tasks' } });
  });
});
