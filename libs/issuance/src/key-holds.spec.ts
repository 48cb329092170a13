import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { addSeconds, type JsonObject, newId, Problem } from '@mayfly/kernel';
import { declareFor, FakeTaskStores, taskIntent } from '@mayfly/testing';
import { Sealer } from '@mayfly/trust';
import { type KeyedAnswer, KeyHolds } from './key-holds.js';
import type { KeyHold, KeyOwner } from './request.js';
import type { Failpoint } from '@mayfly/tasks';

const OWNER: KeyOwner = { agentId: newId('agt'), runtime: 'cluster', issuer: 'cluster', subject: 'support' };
const REQUEST = { template: 'read-cases', purpose: 'answer ticket 4711' };

describe('KeyHolds', () => {
  let stores: FakeTaskStores;
  let keyHolds: KeyHolds;
  let steps: Failpoint[];
  let view: JsonObject;
  let ended: string[];
  let answers: KeyedAnswer[];

  beforeEach(() => {
    stores = new FakeTaskStores();
    [steps, ended, answers] = [[], [], []];
    view = { state: 'active' };
    keyHolds = new KeyHolds({
      store: stores.keyHolds,
      sealing: new Sealer({ current: randomBytes(32).toString('hex') }),
      clock: stores.scene.clock,
      observer: { reached: (step) => (steps.push(step), undefined) },
      tasks: { view: async () => view, endUndelivered: async (taskId) => void ended.push(taskId) },
    });
  });

  /** Opens a task under the hold and answers with a secret, as the path does. */
  const grant = async (keyHold: KeyHold, lifetimeSeconds = 600): Promise<KeyedAnswer> => {
    const intent = { ...taskIntent(stores.scene.clock, { lifetimeSeconds }), keyHold };
    await declareFor(stores.scene, intent);
    expect(await stores.issuance.open(intent)).toBe('opened');
    const { id: taskId, expiresAt } = intent.task;
    const answer = { taskId, expiresAt, body: { id: taskId, secret: `secret ${String(answers.length + 1)}` } };
    answers.push(answer);
    return answer;
  };
  const once = (first = grant, key = 'key', request: JsonObject = REQUEST, owner = OWNER) =>
    keyHolds.once(owner, key, request, (hold) => first(hold));
  const refuse = () => Promise.reject(new Problem('policy_denied', 'the agent is suspended'));

  it('KeyHolds runs a request under a new key, after it holds the key', async () => {
    const body = await once(async (hold) => {
      expect(steps).toEqual(['hold']);
      return grant(hold);
    });
    expect(body).toEqual(answers[0]?.body);
    expect(steps).toEqual(['hold', 'settle']);
  });

  it.each(['', ' ', 'two words', 'é', 'x'.repeat(256)])('KeyHolds refuses %j, which is no key', async (key) => {
    await expect(once(grant, key)).rejects.toMatchObject({ code: 'invalid_request' });
    expect(answers).toEqual([]);
  });

  it('KeyHolds replays the answer of the same request, and does not run it again', async () => {
    const body = await once();
    expect(await once()).toEqual(body);
    expect(answers).toHaveLength(1);
  });

  it.each([
    ['the replay window', 600, 300],
    ['the expiry of the task', 60, 60],
  ])('KeyHolds replays the answer until %s ends, and then shows the task', async (_, lifetimeSeconds, seconds) => {
    const body = await once((hold) => grant(hold, lifetimeSeconds));
    await stores.scene.advance(seconds - 1);
    expect(await once()).toEqual(body);
    await stores.scene.advance(1);
    expect(await once()).toBe(view);
  });

  it.each([
    ['is ending', { state: 'active', endCause: 'revoked' }],
    ['has ended', { state: 'completed' }],
    ['is under a lockdown', { state: 'active', lockdown: newId('lkd') }],
  ])('KeyHolds replays no secret of a task that %s', async (_, present) => {
    await once();
    view = present;
    expect(await once()).toBe(view);
  });

  it('KeyHolds refuses a used key for another request', async () => {
    await once();
    const other = { ...REQUEST, purpose: 'another' };
    await expect(once(grant, 'key', other)).rejects.toMatchObject({ code: 'idempotency_key_reused' });
    expect(answers).toHaveLength(1);
  });

  it('KeyHolds refuses a repeat while the first request runs', async () => {
    await once(async (hold) => {
      const repeat = { code: 'request_in_flight', retryAfterSeconds: 1 };
      await expect(once()).rejects.toMatchObject(repeat);
      return grant(hold);
    });
    expect(answers).toHaveLength(1);
  });

  it('KeyHolds frees the key of a refused request', async () => {
    await expect(once(refuse)).rejects.toMatchObject({ code: 'policy_denied' });
    expect(await once(grant, 'key', { ...REQUEST, purpose: 'another' })).toEqual(answers[0]?.body);
  });

  it('KeyHolds keeps the key of a request that failed after its task was opened, and shows the task', async () => {
    await expect(once((hold) => grant(hold).then(refuse))).rejects.toMatchObject({ code: 'policy_denied' });
    expect(await once()).toBe(view);
    expect(answers).toHaveLength(1);
  });

  it('KeyHolds ends a task whose answer cannot be saved', async () => {
    const lost = once(async (hold) => {
      const answer = await grant(hold);
      stores.scene.down = true;
      return answer;
    });
    await expect(lost).rejects.toMatchObject({ code: 'unavailable' });
    expect(ended).toEqual([answers[0]?.taskId]);
  });

  it('KeyHolds ends a task that is not the task of the key', async () => {
    const taskId = newId('tsk');
    const other = once(async () => ({ taskId, expiresAt: addSeconds(stores.scene.clock.now(), 60), body: {} }));
    await expect(other).rejects.toMatchObject({ code: 'request_in_flight', extensions: { taskId } });
    expect(ended).toEqual([taskId]);
  });

  it.each([
    ['another key', OWNER, 'other-key'],
    ['another subject', { ...OWNER, subject: 'sales' }, 'key'],
    ['another runtime', { ...OWNER, runtime: 'ci' }, 'key'],
  ])('KeyHolds opens no answer that was moved to %s', async (_, owner, key) => {
    await once();
    stores.scene.setKey({ ...owner, key }, stores.scene.key({ ...OWNER, key: 'key' }));
    await expect(once(grant, key, REQUEST, owner)).rejects.toMatchObject({ code: 'internal' });
  });

  it('KeyHolds keeps no secret in the clear', async () => {
    await once();
    const { sealedAnswer } = stores.scene.key({ ...OWNER, key: 'key' })!;
    expect(String(sealedAnswer)).not.toContain('secret');
  });
});
