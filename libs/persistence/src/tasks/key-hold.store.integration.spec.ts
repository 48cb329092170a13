import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { UsedKey, KeyHold, KeyOwner } from '@mayfly/issuance';
import { addSeconds, newId, type TaskId } from '@mayfly/kernel';
import { declareFor, TaskDatabase, taskIntent } from '@mayfly/testing';
import { PgIssuanceStore } from './issuance.store.js';
import { PgKeyHoldStore } from './key-hold.store.js';

describe('PgKeyHoldStore', () => {
  const owner: KeyOwner = { agentId: newId('agt'), runtime: 'laptop', issuer: 'cluster', subject: 'support' };
  const answer = Buffer.from('a sealed answer');
  let scene: TaskDatabase;
  let store: PgKeyHoldStore;

  beforeAll(async () => {
    scene = await TaskDatabase.start();
    store = new PgKeyHoldStore(scene.pool());
  });

  beforeEach(() => scene.empty());
  afterAll(() => scene.stop());

  const isMine = (hold: KeyHold | UsedKey): hold is KeyHold => 'heldAt' in hold;
  const mine = async (from = owner, body = 'body'): Promise<KeyHold> => {
    const hold = await store.hold(from, 'key', body);
    if (!isMine(hold)) throw new Error("the key is somebody else's");
    return hold;
  };

  /** Does with the key of a request what the commit of step 9 does. */
  const opened = async (hold: KeyHold, taskId: TaskId = newId('tsk')): Promise<TaskId> => {
    await scene.query('UPDATE public.idempotency_key SET task_id = $1 WHERE key = $2 AND subject = $3', [
      taskId,
      hold.key,
      hold.subject,
    ]);
    return taskId;
  };
  const answered = async (hold: KeyHold, taskId?: TaskId): Promise<boolean> =>
    store.settle(hold, await opened(hold, taskId), answer, addSeconds(scene.clock.now(), 60));

  it('PgKeyHoldStore gives a key to exactly one of many callers', async () => {
    const holds = await Promise.all(Array.from({ length: 30 }, () => store.hold(owner, 'key', 'body')));
    expect(holds.filter(isMine)).toHaveLength(1);
    expect(holds.filter((hold) => !isMine(hold))).toEqual(Array(29).fill({ fingerprint: 'body' }));
  });

  it.each<[string, Partial<KeyOwner>]>([
    ['another agent', { agentId: newId('agt') }],
    ['another runtime', { runtime: 'ci-runner' }],
    ['another issuer', { issuer: 'ci' }],
    ['another subject', { subject: 'sales' }],
  ])('PgKeyHoldStore never shows a key to %s', async (_, changes) => {
    await answered(await mine());
    expect(isMine(await store.hold({ ...owner, ...changes }, 'key', 'body'))).toBe(true);
  });

  it('PgKeyHoldStore replays the answer until its time is up, and knows the task for ever', async () => {
    const taskId = newId('tsk');
    await answered(await mine(), taskId);
    expect(await store.hold(owner, 'key', 'other')).toEqual({ fingerprint: 'body', taskId, sealedAnswer: answer });
    await scene.advance(61);
    expect(await store.hold(owner, 'key', 'body')).toEqual({ fingerprint: 'body', taskId });
  });

  it('PgKeyHoldStore keeps no sealed answer that may no longer be replayed', async () => {
    await answered(await mine());
    const sealed = () => scene.query('SELECT FROM public.idempotency_key WHERE sealed_answer IS NOT NULL');
    await store.wipe();
    expect(await sealed()).toHaveLength(1);
    await scene.advance(61);
    await store.wipe();
    expect(await sealed()).toHaveLength(0);
  });

  it('PgKeyHoldStore releases a key when nothing was minted under it, and only then', async () => {
    await store.release(await mine());
    const hold = await mine(owner, 'other');
    const taskId = await opened(hold);
    await store.release(hold);
    expect(await store.hold(owner, 'key', 'other')).toEqual({ fingerprint: 'other', taskId });
  });

  it('PgKeyHoldStore gives the key of a process that died to one of its successors, after a while', async () => {
    await store.hold(owner, 'key', 'body');
    await scene.advance(29);
    expect(await store.hold(owner, 'key', 'body')).toEqual({ fingerprint: 'body' });
    await scene.advance(2);
    const holds = await Promise.all([1, 2, 3].map(() => store.hold(owner, 'key', 'body')));
    expect(holds.filter(isMine)).toHaveLength(1);
  });

  it('PgKeyHoldStore says that the first request is under way until it has answered, or died', async () => {
    const taskId = await opened(await mine());
    expect(await store.hold(owner, 'key', 'body')).toEqual({ fingerprint: 'body' });
    await scene.advance(31);
    expect(await store.hold(owner, 'key', 'body')).toEqual({ fingerprint: 'body', taskId });
  });

  it('PgKeyHoldStore takes nothing from the successor of a hold that lapsed', async () => {
    const lapsed = await mine();
    await scene.advance(31);
    const successor = await mine();
    await store.release(lapsed);
    expect(await answered(successor)).toBe(true);
    expect(await store.settle(lapsed, newId('tsk'), answer, scene.clock.now())).toBe(false);
  });

  it('a key is bound to its task by the commit that opens the task, and only under a present hold', async () => {
    const issuance = new PgIssuanceStore(scene.pool());
    const intend = (keyHold: KeyHold) => ({ ...taskIntent(scene.clock), keyHold });
    const lapsed = await mine();
    await scene.advance(31);
    const [late, intent] = [intend(lapsed), intend(await mine())];
    await declareFor(scene, intent);
    expect(await issuance.open({ ...late, task: { ...late.task, agent: intent.task.agent } })).toBe('key');
    expect(await issuance.open(intent)).toBe('opened');
    const rows = await scene.query('SELECT id FROM public.task');
    expect(rows).toEqual([{ id: intent.task.id }]);
    await scene.advance(31); // as after a crash before the answer
    expect(await store.hold(owner, 'key', 'body')).toEqual({ fingerprint: 'body', taskId: intent.task.id });
  });

  it('PgKeyHoldStore forgets keys after a day', async () => {
    await answered(await mine());
    await scene.advance(86_401);
    await store.wipe();
    expect(await mine()).toMatchObject({ key: 'key' });
  });
});
