import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { addSeconds, newId } from '@mayfly/kernel';
import { TaskDatabase } from '@mayfly/testing';
import { IdempotencyStore, type KeyClaim, type KeyOwner, type UsedKey } from './idempotency.store.js';

describe('IdempotencyStore', () => {
  const owner: KeyOwner = { agentId: newId('agt'), issuer: 'cluster', subject: 'support' };
  const answer = Buffer.from('a sealed answer');
  let scene: TaskDatabase;
  let store: IdempotencyStore;

  beforeAll(async () => {
    scene = await TaskDatabase.start();
    store = new IdempotencyStore(scene.pool());
  });

  beforeEach(() => scene.empty());
  afterAll(() => scene.stop());

  const isMine = (claim: KeyClaim | UsedKey): claim is KeyClaim => 'claimedAt' in claim;
  const mine = async (from = owner, body = 'body'): Promise<KeyClaim> => {
    const claim = await store.claim(from, 'key', body);
    if (!isMine(claim)) throw new Error("the key is somebody else's");
    return claim;
  };

  it('gives a key to exactly one of many callers', async () => {
    const claims = await Promise.all(Array.from({ length: 30 }, () => store.claim(owner, 'key', 'body')));
    expect(claims.filter(isMine)).toHaveLength(1);
    expect(claims.filter((claim) => !isMine(claim))).toEqual(Array(29).fill({ fingerprint: 'body' }));
  });

  it.each<[string, Partial<KeyOwner>]>([
    ['another agent', { agentId: newId('agt') }],
    ['another issuer', { issuer: 'ci' }],
    ['another subject', { subject: 'sales' }],
  ])('never shows a key to %s', async (_, changes) => {
    await store.settle(await mine(), newId('tsk'), answer, addSeconds(scene.clock.now(), 60));
    expect(isMine(await store.claim({ ...owner, ...changes }, 'key', 'body'))).toBe(true);
  });

  it('replays the answer until its time is up, and knows the task for ever', async () => {
    const taskId = newId('tsk');
    await store.settle(await mine(), taskId, answer, addSeconds(scene.clock.now(), 60));
    expect(await store.claim(owner, 'key', 'other')).toEqual({ fingerprint: 'body', taskId, sealedAnswer: answer });
    await scene.advance(61);
    expect(await store.claim(owner, 'key', 'body')).toEqual({ fingerprint: 'body', taskId });
  });

  it('keeps no sealed answer that may no longer be replayed', async () => {
    await store.settle(await mine(), newId('tsk'), answer, addSeconds(scene.clock.now(), 60));
    const sealed = () => scene.query('SELECT FROM idempotency_key WHERE sealed_answer IS NOT NULL');
    await store.wipe();
    expect(await sealed()).toHaveLength(1);
    await scene.advance(61);
    await store.wipe();
    expect(await sealed()).toHaveLength(0);
  });

  it('gives a key back when nothing was minted under it, and not when something was', async () => {
    await store.release(await mine());
    const claim = await mine(owner, 'other');
    expect(await store.settle(claim, newId('tsk'))).toBe(true);
    await store.release(claim);
    expect(await store.claim(owner, 'key', 'other')).toMatchObject({ fingerprint: 'other' });
  });

  it('gives the key of a process that died to one of its successors, after a while', async () => {
    await store.claim(owner, 'key', 'body');
    await scene.advance(29);
    expect(await store.claim(owner, 'key', 'body')).toEqual({ fingerprint: 'body' });
    await scene.advance(2);
    const claims = await Promise.all([1, 2, 3].map(() => store.claim(owner, 'key', 'body')));
    expect(claims.filter(isMine)).toHaveLength(1);
  });

  it('takes nothing from the successor of a claim that lapsed', async () => {
    const lapsed = await mine();
    await scene.advance(31);
    const successor = await mine();
    expect(await store.settle(lapsed, newId('tsk'), answer, addSeconds(scene.clock.now(), 60))).toBe(false);
    await store.release(lapsed);
    expect(await store.settle(successor, newId('tsk'))).toBe(true);
  });
});
