import { beforeEach, describe, expect, it } from '@jest/globals';
import { digestOf, newId, type JsonObject } from '@mayfly/kernel';
import { Decision, deny, permit, type DecisionRecord, type DecisionStore } from '@mayfly/policy';

/** Returns a record with these members, and valid values for the others. */
export function decisionRecord(members: Partial<DecisionRecord> = {}): DecisionRecord {
  const inputs: JsonObject = members.inputs ?? { runtime: 'ci', parameters: { case: 'A-1' } };
  return {
    ...{ id: newId('dec'), at: new Date('2030-01-01T00:00:00.123Z'), phase: 'request', agentId: newId('agt') },
    ...{ agentName: 'support-agent', runtime: 'ci', templateName: 'support', templateVersion: 2, permitted: false },
    ...{ control: 'lifetime', trace: Decision.of([permit('identity'), deny('lifetime', 'too short')]).trace },
    ...{ inputs, inputsDigest: digestOf(inputs), ...members },
  };
}

/** Tests that every `DecisionStore` must pass. `make` returns a store without records. */
export function decisionStoreSuite(make: () => DecisionStore | Promise<DecisionStore>): void {
  describe('a store of decisions', () => {
    let store: DecisionStore;

    beforeEach(async () => {
      store = await make();
    });

    it('a store of decisions returns a record as it was written', async () => {
      const taskId = newId('tsk');
      const records = [
        decisionRecord(),
        decisionRecord({ taskId, phase: 'renew', policyDigest: digestOf({}) }),
        decisionRecord({
          inputs: { text: 'a\u0000b \ud83d\ude00 "\\', deep: [{ list: [1.5, null, true] }], none: {} },
        }),
      ];
      await store.record(records);
      for (const record of records) expect(await store.find(record.id)).toEqual(record);
      expect(await store.find(newId('dec'))).toBeUndefined();
    });

    it('a store of decisions lists the records of a task, oldest first, and of no other', async () => {
      const taskId = newId('tsk');
      const [one, two, three] = [decisionRecord({ taskId }), decisionRecord({ taskId }), decisionRecord({ taskId })];
      await store.record([three, one]);
      await store.record([two, decisionRecord({ taskId: newId('tsk') }), decisionRecord()]);
      expect(await store.ofTask(taskId)).toEqual([one, two, three]);
      expect(await store.ofTask(newId('tsk'))).toEqual([]);
    });

    it('a store of decisions writes all records of a call or none, and never a record twice', async () => {
      const [kept, fresh] = [decisionRecord(), decisionRecord()];
      await store.record([kept]);
      const again = { ...kept, agentName: 'another' };
      await expect(store.record([fresh, again])).rejects.toMatchObject({ code: 'unavailable' });
      expect(await store.find(fresh.id)).toBeUndefined();
      expect(await store.find(kept.id)).toEqual(kept);
    });

    it('a store of decisions writes many calls at once', async () => {
      const records = Array.from({ length: 50 }, () => decisionRecord());
      await Promise.all([store.record([]), ...records.map((record) => store.record([record]))]);
      for (const record of records) expect(await store.find(record.id)).toEqual(record);
    });
  });
}
