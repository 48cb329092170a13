import { beforeEach, describe, expect, it } from '@jest/globals';
import type { KeyHold, KeyOwner, OpenVerdict, TaskIntent, UsedKey } from '@mayfly/issuance';
import { addSeconds, newId, type TaskId } from '@mayfly/kernel';
import { declareFor, type IntentOptions, taskIntent } from '../builders.js';
import type { RequestStores } from '../task-stores.js';

const OWNER: KeyOwner = { agentId: newId('agt'), runtime: 'laptop', issuer: 'cluster', subject: 'support' };
const ANSWER = Buffer.from('a sealed answer');
const isMine = (hold: KeyHold | UsedKey): hold is KeyHold => 'heldAt' in hold;

const OTHERS: readonly (readonly [string, Partial<KeyOwner>])[] = [
  ['another agent', { agentId: newId('agt') }],
  ['another runtime', { runtime: 'ci-runner' }],
  ['another issuer', { issuer: 'ci' }],
  ['another subject', { subject: 'sales' }],
];

/**
 * Tests that every `KeyHoldStore` must pass, together with the `IssuanceStore` that binds its keys. `make` returns
 * stores without rows.
 */
export function keyHoldStoreSuite(make: () => RequestStores | Promise<RequestStores>): void {
  describe('a key hold store', () => {
    let stores: RequestStores;

    beforeEach(async () => {
      stores = await make();
    });

    const hold = (body = 'body', owner = OWNER) => stores.keyHolds.hold(owner, 'key', body);
    const mine = async (body = 'body', owner = OWNER): Promise<KeyHold> => {
      const held = await hold(body, owner);
      if (!isMine(held)) throw new Error("the key is somebody else's");
      return held;
    };
    const intend = async (keyHold: KeyHold, options: IntentOptions = {}): Promise<TaskIntent> => {
      const intent = { ...taskIntent(stores.scene.clock, options), keyHold };
      await declareFor(stores.scene, intent);
      return intent;
    };
    const opened = async (keyHold: KeyHold): Promise<TaskId> => {
      const intent = await intend(keyHold);
      expect(await stores.issuance.open(intent)).toBe('opened');
      return intent.task.id;
    };
    const settle = (keyHold: KeyHold, taskId: TaskId) =>
      stores.keyHolds.settle(keyHold, taskId, ANSWER, addSeconds(stores.scene.clock.now(), 60));
    const answered = async (keyHold: KeyHold): Promise<TaskId> => {
      const taskId = await opened(keyHold);
      expect(await settle(keyHold, taskId)).toBe(true);
      return taskId;
    };

    describe('hold', () => {
      it('a key hold store gives a key to exactly one of many callers', async () => {
        const holds = await Promise.all(Array.from({ length: 30 }, () => hold()));
        expect(holds.filter(isMine)).toHaveLength(1);
        expect(holds.filter((held) => !isMine(held))).toEqual(Array(29).fill({ fingerprint: 'body' }));
      });

      it.each(OTHERS)('a key hold store never shows a key to %s', async (_, changes) => {
        await answered(await mine());
        expect(isMine(await hold('body', { ...OWNER, ...changes }))).toBe(true);
      });

      it('a key hold store replays the answer until its time is up, and knows the task for ever', async () => {
        const taskId = await answered(await mine());
        expect(await hold('other')).toEqual({ fingerprint: 'body', taskId, sealedAnswer: ANSWER });
        await stores.scene.advance(61);
        expect(await hold()).toEqual({ fingerprint: 'body', taskId });
      });

      it('a key hold store gives the key of a process that died to one of its successors, after a while', async () => {
        await hold('of the dead');
        await stores.scene.advance(29);
        expect(await hold()).toEqual({ fingerprint: 'of the dead' });
        await stores.scene.advance(2);
        const holds = await Promise.all([1, 2, 3].map(() => hold()));
        expect(holds.filter(isMine)).toHaveLength(1);
        expect(await hold()).toEqual({ fingerprint: 'body' });
      });

      it('a key hold store says that the first request is under way until it has answered, or died', async () => {
        const taskId = await opened(await mine());
        expect(await hold()).toEqual({ fingerprint: 'body' });
        await stores.scene.advance(31);
        expect(await hold()).toEqual({ fingerprint: 'body', taskId });
      });
    });

    describe('release', () => {
      it('a key hold store frees a released key', async () => {
        await stores.keyHolds.release(await mine());
        expect(isMine(await hold('other'))).toBe(true);
      });

      it('a key hold store keeps a released key bound to its task, and shows that task at once', async () => {
        const keyHold = await mine();
        const taskId = await opened(keyHold);
        await stores.keyHolds.release(keyHold);
        expect(await hold()).toEqual({ fingerprint: 'body', taskId });
      });

      it('a key hold store takes nothing from the successor of a hold that lapsed', async () => {
        const lapsed = await mine();
        await stores.scene.advance(31);
        const successor = await mine();
        await stores.keyHolds.release(lapsed);
        expect(await hold()).toEqual({ fingerprint: 'body' });
        const taskId = await opened(successor);
        await stores.keyHolds.release(lapsed);
        expect(await hold()).toEqual({ fingerprint: 'body' });
        expect(await settle(successor, taskId)).toBe(true);
      });
    });

    it('a key hold store settles no key for another task than its own', async () => {
      const keyHold = await mine();
      expect(await settle(keyHold, newId('tsk'))).toBe(false);
      const taskId = await opened(keyHold);
      expect(await settle(keyHold, newId('tsk'))).toBe(false);
      expect(await hold()).toEqual({ fingerprint: 'body' });
      expect(await settle(keyHold, taskId)).toBe(true);
    });

    describe('with an opening', () => {
      const open = (...intents: readonly TaskIntent[]): Promise<OpenVerdict[]> =>
        Promise.all(intents.map((intent) => stores.issuance.open(intent)));

      it('a key is bound to its task by the commit that opens the task, and only under a present hold', async () => {
        const lapsed = await mine();
        await stores.scene.advance(31);
        const [late, intent] = [await intend(lapsed), await intend(await mine())];
        expect(await open(late)).toEqual(['key']);
        expect(await open(intent)).toEqual(['opened']);
        expect(await stores.scene.task(late.task.id)).toBeUndefined();
        await stores.scene.advance(31); // as after a crash before the answer
        expect(await hold()).toEqual({ fingerprint: 'body', taskId: intent.task.id });
      });

      it('a key opens one task, however often its hold is used', async () => {
        const keyHold = await mine();
        const taskId = await opened(keyHold);
        expect(await open(await intend(keyHold))).toEqual(['key']);
        expect(await settle(keyHold, taskId)).toBe(true);
      });

      it('a key whose hold lapsed refuses its own request, and no other request of the batch', async () => {
        const lapsed = await mine();
        await stores.scene.advance(31);
        const other = await mine('body', { ...OWNER, subject: 'sales' });
        const intents = [await intend(await mine()), await intend(lapsed), await intend(other)];
        expect(await open(...intents)).toEqual(['opened', 'key', 'opened']);
      });

      it('a key stays free when its request is refused for another reason', async () => {
        const keyHold = await mine();
        const [first, refused] = [taskIntent(stores.scene.clock, ONE), await intend(keyHold, ONE)];
        expect(await open(first, refused)).toEqual(['opened', 'quota']);
        await stores.keyHolds.release(keyHold);
        expect(isMine(await hold())).toBe(true);
      });

      it('a key without a hold does not hide that the agent is suspended', async () => {
        const lapsed = await mine();
        await stores.keyHolds.release(lapsed);
        const intent = await intend(lapsed);
        await stores.scene.setAgent(intent.task.agent.id, 'suspended');
        expect(await open(intent)).toEqual(['agent']);
      });

      it.each(OTHERS)('a key is not the key of %s', async (_, changes) => {
        const owner = { ...OWNER, ...changes };
        const [own, others] = [await mine(), await mine('theirs', owner)];
        const taskId = await opened(own);
        expect(await open(await intend({ ...others, ...OWNER }))).toEqual(['key']);
        expect(await settle(others, taskId)).toBe(false);
        expect(await hold('theirs', owner)).toEqual({ fingerprint: 'theirs' });
        await answered(others);
      });
    });
  });
}

const ONE = { quota: { concurrentTasks: 1 } };
