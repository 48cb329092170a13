import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Principal } from '@mayfly/identity';
import { type DecisionId, decisionOfTask, type JsonObject, Problem } from '@mayfly/kernel';
import { FakeTaskStores, IssuanceService } from '@mayfly/testing';

const AUDITOR = { kind: 'person', roles: ['auditor'] } as unknown as Principal;

describe('the declared facts of a grant', () => {
  let stores: FakeTaskStores;
  let service: IssuanceService<FakeTaskStores>;
  beforeEach(async () => {
    stores = new FakeTaskStores();
    service = new IssuanceService(stores);
    await service.publish();
  });

  const inputsOf = async (requester = service.requester()) => {
    const { plan } = await service.issue({}, requester);
    return (await service.decisions.view(AUDITOR, decisionOfTask(plan.task.id))).inputs as {
      readonly connections: readonly JsonObject[];
      readonly agent: JsonObject;
    };
  };

  it('the declared facts of many grants are stored once', async () => {
    const requester = service.requester();
    for (let n = 0; n < 5; n += 1) await inputsOf(requester);
    // another object with the same content, as after a new reading of the catalog
    await inputsOf({ ...requester, agent: { ...requester.agent } });
    expect(stores.facts.bodies.size).toBe(1);
  });

  it('the declared facts of a grant are those of its own time, also when a connection or the agent changed since', async () => {
    const requester = service.requester();
    const before = await inputsOf(requester);
    service.disable('crm');
    const denied = await service.issue({}, requester).catch((error: unknown) => error as Problem);
    const { decisionId } = (denied as Problem).extensions;
    const after = (await service.decisions.view(AUDITOR, decisionId as DecisionId)).inputs;
    service.connect('crm', 'dummy');
    expect(before.connections).toMatchObject([{ name: 'crm', disabled: false }]);
    expect(after).toMatchObject({ connections: [{ name: 'crm', disabled: true }] });
    expect((await inputsOf(requester)).connections).toEqual(before.connections);
    const labels = { duty: 'support', region: 'apac' };
    const relabelled = await inputsOf({ ...requester, agent: { ...requester.agent, labels } });
    expect([before.agent.labels, relabelled.agent.labels]).toEqual([{ duty: 'support' }, labels]);
    expect(stores.facts.bodies.size).toBe(2); // a denial keeps its facts in its own record
  });

  it('a grant whose declared facts cannot be stored is refused, and leaves nothing', async () => {
    stores.facts.keep = () => Promise.reject(new Problem('unavailable', 'the database does not answer; try again'));
    await expect(service.issue()).rejects.toMatchObject({ code: 'unavailable' });
    expect(stores.scene.tasks.size).toBe(0);
  });

  it('a decision whose declared facts are missing or changed shows its verdicts, and is not made again', async () => {
    const { plan } = await service.issue();
    const id = decisionOfTask(plan.task.id);
    const [[digest, body] = ['', '']] = [...stores.facts.bodies];
    for (const tampered of [undefined, body.replace('"active"', '"suspended"')]) {
      if (tampered === undefined) stores.facts.bodies.delete(digest);
      else stores.facts.bodies.set(digest, tampered);
      expect(await service.decisions.view(AUDITOR, id)).toMatchObject({ permitted: true, inputs: {} });
      await expect(service.decisions.replay(id)).rejects.toMatchObject({ code: 'conflict' });
    }
  });
});
