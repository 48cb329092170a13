import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { KeyHold, KeyOwner } from '@mayfly/issuance';
import { addSeconds, newId } from '@mayfly/kernel';
import { TaskDatabase } from '@mayfly/testing';
import { PgKeyHoldStore } from './key-hold.store.js';

/** Tests the wiping, which the port does not have. `keyHoldStoreSuite` tests the port. */
describe('PgKeyHoldStore', () => {
  const owner: KeyOwner = { agentId: newId('agt'), runtime: 'laptop', issuer: 'cluster', subject: 'support' };
  let scene: TaskDatabase;
  let store: PgKeyHoldStore;

  beforeAll(async () => {
    scene = await TaskDatabase.start();
    store = new PgKeyHoldStore(scene.pool());
  });

  beforeEach(() => scene.empty());
  afterAll(() => scene.stop());

  /** Holds the key and does what the commit of step 9 and the answer do. */
  async function answer(): Promise<void> {
    const hold = (await store.hold(owner, 'key', 'body')) as KeyHold;
    const taskId = newId('tsk');
    await scene.query('UPDATE public.idempotency_key SET task_id = $1', [taskId]);
    const replayUntil = addSeconds(scene.clock.now(), 60);
    expect(await store.settle(hold, taskId, Buffer.from('a sealed answer'), replayUntil)).toBe(true);
  }

  it('PgKeyHoldStore keeps no sealed answer that may no longer be replayed', async () => {
    await answer();
    const sealed = () => scene.query('SELECT FROM public.idempotency_key WHERE sealed_answer IS NOT NULL');
    await store.wipe();
    expect(await sealed()).toHaveLength(1);
    await scene.advance(61);
    await store.wipe();
    expect(await sealed()).toHaveLength(0);
  });

  it('PgKeyHoldStore forgets keys after a day, and not before', async () => {
    await answer();
    await scene.advance(86_300);
    await store.wipe();
    expect(await store.hold(owner, 'key', 'body')).toMatchObject({ fingerprint: 'body' });
    await scene.advance(101);
    await store.wipe();
    expect(await store.hold(owner, 'key', 'body')).toMatchObject({ key: 'key' });
  });
});
