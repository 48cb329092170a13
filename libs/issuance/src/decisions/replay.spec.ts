import { describe, expect, it } from '@jest/globals';
import type { Principal } from '@mayfly/identity';
import { addSeconds, decisionOfTask, type DecisionId, type Json, type Labels, newId, Problem } from '@mayfly/kernel';
import { FakeTaskStores, IssuanceService, templateOf } from '@mayfly/testing';
import fc from 'fast-check';

const AUDITOR = { kind: 'person', roles: ['auditor'] } as unknown as Principal;

/** The faults of requests and of their world: each is tried alone and with others. */
const FAULTS = {
  nobody: { template: 'nobody' },
  mars: { parameters: { region: 'mars' } },
  unknown: { parameters: { region: 'emea', hunter2: 'canary' } },
  secret: { parameters: { region: 'emea', other: 'canary' } },
  none: { parameters: null },
  short: { ttlSeconds: 0 },
  long: { ttlSeconds: 4_000 },
  suspended: { state: 'suspended' },
  unlabelled: { labels: { duty: 'billing' } },
  elsewhere: { runtime: 'ci' },
  expiring: { identitySeconds: 0.5 },
  expired: { identitySeconds: -1 },
  disabled: { isDisabled: true },
  lockedDown: { isLockedDown: true },
  forbidden: { policies: 'forbid(principal, action, resource in Template::"read-cases");' },
  notPermitted: { policies: 'permit(principal, action, resource) when { principal.runtime == "elsewhere" };' },
  obliged: { policies: '@shorterLifeSeconds("60") permit(principal, action, resource);' },
  used: { quota: 0 },
  suspendedMeanwhile: { agentInStore: 'suspended' },
  changedMeanwhile: { versionInStore: 2 },
} as const;

const USUAL = {
  ...{ template: 'read-cases', state: 'active', labels: { duty: 'support' }, runtime: 'cluster', isDisabled: false },
  ...{
    identitySeconds: 3_600,
    isLockedDown: false,
    policies: '',
    quota: 1_000,
    agentInStore: 'active',
    versionInStore: 1,
  },
};

const requests = fc
  .record({
    parameters: fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom({ region: 'emea' }, { region: 'apac' }) },
      {
        weight: 1,
        arbitrary: fc.dictionary(fc.string({ maxLength: 8 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 }),
      },
    ),
    purpose: fc.string({ minLength: 1, maxLength: 40 }),
    ttlSeconds: fc.option(fc.integer({ min: 1, max: 4_000 }), { nil: undefined }),
    faults: fc.subarray(Object.values(FAULTS), { maxLength: 2 }),
  })
  .map(({ faults, ...request }) => Object.assign({ ...USUAL, ...request }, ...faults) as Generated);

interface Generated extends Omit<typeof USUAL, 'labels'> {
  readonly labels: Labels;
  readonly parameters: Json;
  readonly purpose: string;
  readonly ttlSeconds: number | undefined;
}

async function worldOf(generated: Generated) {
  const stores = new FakeTaskStores();
  const service = new IssuanceService(stores);
  const quota = { tasksPerMinute: 1_000, concurrentTasks: generated.quota };
  await service.publish(templateOf({ quota }));
  if (generated.isDisabled) service.disable('crm');
  if (generated.isLockedDown) service.lockdown = { id: newId('lkd'), scope: { kind: 'all', name: '' } };
  if (generated.policies !== '')
    service.policyDocuments = [{ name: 'team', spec: { policies: { one: generated.policies } } }];
  const usual = service.requester();
  const requester = {
    ...usual,
    agent: { ...usual.agent, state: generated.state, labels: generated.labels },
    runtime: generated.runtime,
    identityExpiresAt: addSeconds(stores.scene.clock.now(), generated.identitySeconds),
  };
  await stores.scene.setAgent(requester.agent.id, generated.agentInStore as 'active');
  await stores.scene.setTemplate('read-cases', generated.versionInStore);
  return { stores, service, requester };
}

/** Sends the request, and returns the id of its decision. */
async function decisionOf(generated: Generated) {
  const { stores, service, requester } = await worldOf(generated);
  const { template, parameters, purpose, ttlSeconds } = generated;
  const request = {
    template,
    parameters,
    purpose,
    ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
  };
  const granted = await service.issue(request, requester).catch((error: unknown) => error as Problem);
  const id = granted instanceof Problem ? granted.extensions.decisionId : decisionOfTask(granted.plan.task.id);
  return { stores, service, id: id as DecisionId, granted };
}

describe('a replay', () => {
  it('a replay of any decision on a request is byte-identical, with the version and the facts of then', async () => {
    const outcomes = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(requests, async (generated) => {
        const { stores, service, id, granted } = await decisionOf(generated);
        expect(id).toBeDefined();
        // Everything that is declared changes after the decision.
        await service.publish(templateOf({ requesters: { agents: { duty: 'nobody' }, runtimes: ['nowhere'] } }, 2));
        service.disconnect('crm');
        service.policyDocuments = [
          { name: 'later', spec: { policies: { none: 'forbid(principal, action, resource);' } } },
        ];
        service.lockdown = { id: newId('lkd'), scope: { kind: 'all', name: '' } };
        const replay = await service.decisions.replay(id);
        expect(replay).toMatchObject({ identical: true, differences: [] });
        const { recorded, replayed } = replay as unknown as Record<'recorded' | 'replayed', { digest: string }>;
        expect(recorded.digest).toBe(replayed.digest);
        expect([...stores.decisions.bodies.values(), ...stores.facts.bodies.values()].join()).not.toMatch(
          /hunter2|canary/,
        );
        const view = await service.decisions.view(AUDITOR, id);
        const control = granted instanceof Problem ? String(granted.extensions.control) : 'granted';
        expect(view.control ?? 'granted').toBe(control);
        outcomes.set(control, (outcomes.get(control) ?? 0) + 1);
      }),
      { numRuns: 300 },
    );
    // The generator reaches every control of a request.
    expect([...outcomes.keys()].sort()).toEqual([
      ...['agent-lifecycle', 'connection-state', 'granted', 'lifetime', 'lockdown', 'parameters', 'policy'],
      ...['quota-concurrent-tasks', 'runtime-boundary', 'template-lifecycle', 'template-requesters'],
    ]);
  });
});
