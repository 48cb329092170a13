import { beforeEach, describe, expect, it } from '@jest/globals';
import type { AgentPrincipal, Principal, Role } from '@mayfly/identity';
import { type JsonObject, newId, Problem, type TaskId } from '@mayfly/kernel';
import { FakeTaskStores, IssuanceService, templateOf } from '@mayfly/testing';
import type { KeyHolds } from './key-holds.js';
import { Tasks } from './tasks.js';

describe('Tasks', () => {
  let stores: FakeTaskStores;
  let service: IssuanceService<FakeTaskStores>;
  let tasks: Tasks;
  let taskId: TaskId;

  beforeEach(async () => {
    stores = new FakeTaskStores();
    service = new IssuanceService(stores);
    await service.publish();
    const { issuance, renewal, ending } = service;
    const redact = (text: string): string => text.replace('hunter2', '[redacted]');
    const taskTokens = { tokenOf: (id: TaskId) => `token of ${id}` };
    tasks = new Tasks({ issuance, renewal, ending, tasks: stores.tasks, keyHolds: {} as KeyHolds, taskTokens, redact });
    taskId = (await service.issue()).plan.task.id;
  });

  const owner = (): AgentPrincipal => {
    const { agent, runtime, issuer, subject, identityExpiresAt } = service.requester();
    const identity = { issuer, subject, expiresAt: identityExpiresAt } as AgentPrincipal['identity'];
    return { kind: 'agent', agent, runtime, identity, requestId: 'req-1' };
  };
  const otherAgent = (): AgentPrincipal => ({
    ...owner(),
    agent: { ...owner().agent, id: newId('agt'), name: 'other-agent' },
  });
  const person = (role: Role): Principal => ({
    kind: 'person',
    roles: [role],
    groups: [],
    identity: { ...owner().identity, subject: `one-${role}` },
    requestId: 'req-2',
  });
  const refusalOf = async (work: Promise<unknown>): Promise<{ code: string; detail: string }> => {
    const error: unknown = await work.catch((reason: unknown) => reason);
    if (!(error instanceof Problem)) throw new Error('the call was not refused');
    return { code: error.code, detail: error.detail };
  };
  const rowsOf = () => JSON.stringify([stores.scene.tasks.get(taskId), stores.scene.leasesOf(taskId)]);

  const CALLS: readonly [string, (caller: AgentPrincipal, id: TaskId) => Promise<JsonObject>][] = [
    ['view', (caller, id) => tasks.view(caller, id)],
    ['end', (caller, id) => tasks.end(caller, id, 'completed')],
    ['heartbeat', (caller, id) => tasks.heartbeat(caller, id)],
    ['renew', (caller, id) => tasks.renew(caller, id, 900)],
  ];

  it.each(CALLS)(
    "Tasks refuses an agent that calls %s for another agent's task, and changes nothing",
    async (_, call) => {
      const before = rowsOf();
      const refusal = await refusalOf(call(otherAgent(), taskId));
      expect(refusal).toEqual({ code: 'not_found', detail: `there is no task \`${taskId}\`` });
      expect(rowsOf()).toBe(before);
      expect(service.dummy.live()).toHaveLength(1);
    },
  );

  it.each(CALLS)("Tasks answers %s for an unknown task with the text for another agent's task", async (_, call) => {
    const unknown = newId('tsk');
    const hidden = await refusalOf(call(otherAgent(), taskId));
    const missing = await refusalOf(call(owner(), unknown));
    expect(missing).toEqual({ ...hidden, detail: hidden.detail.replace(taskId, unknown) });
  });

  it.each(CALLS)(
    'Tasks permits %s for the own task of an agent, and shows no secret of the first issue',
    async (_, call) => {
      expect(await call(owner(), taskId)).toMatchObject({ id: taskId, agent: { id: owner().agent.id } });
    },
  );

  it.each(['operator', 'auditor'] as const)(
    'Tasks shows the task of an agent to an %s, without secrets',
    async (role) => {
      const view = await tasks.view(person(role), taskId);
      expect(view).toMatchObject({ id: taskId, state: 'active', credentials: [{ name: 'crm', state: 'active' }] });
      expect(JSON.stringify(view)).not.toContain(service.dummy.live()[0]?.id ?? 'a credential is alive');
    },
  );

  it('Tasks lets an operator end the task of an agent, and records the operator', async () => {
    expect(await tasks.end(person('operator'), taskId, 'revoked')).toMatchObject({
      state: 'revoked',
      credentials: [{ state: 'revoked' }],
    });
    expect(service.dummy.live()).toEqual([]);
    const entry = stores.scene.audit.find(({ type }) => type === 'task.ending');
    expect(JSON.parse(entry?.body ?? '{}')).toMatchObject({ actor: { kind: 'person', subject: 'one-operator' } });
  });

  it('Tasks stores no secret that an agent quotes in a purpose or a reason', async () => {
    const asked = {
      template: templateOf().version.name,
      parameters: { region: 'emea' },
      purpose: 'log in with hunter2',
    };
    const { id } = (await tasks.create(owner(), asked, undefined)) as { id: TaskId };
    const ended = await tasks.end(owner(), id, 'failed', 'hunter2 was refused');
    expect(ended).toMatchObject({ purpose: 'log in with [redacted]', endReason: '[redacted] was refused' });
    expect(JSON.stringify([stores.scene.tasks.get(id), stores.scene.audit])).not.toContain('hunter2');
  });

  it('Tasks returns the new secret of a renewal', async () => {
    const renewed = await tasks.renew(owner(), taskId, 900);
    expect(renewed).toMatchObject({ id: taskId, lifetime: { requestedSeconds: 900 } });
  });
});
