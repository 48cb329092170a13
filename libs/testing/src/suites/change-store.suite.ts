import { describe, expect, it } from '@jest/globals';
import { auditEntry, type Actor } from '@mayfly/audit';
import type { ChangeClosing, DeclarationStore, DocumentChange, RecordWrite } from '@mayfly/declarations';
import { addSeconds, type ChangeId, newId } from '@mayfly/kernel';

const NOW = new Date('2030-01-01T00:00:00Z');
const LATER = addSeconds(NOW, 1_000);
const ANN: Actor = { kind: 'person', issuer: 'staff', subject: 'ann' };
const BEN: Actor = { kind: 'person', issuer: 'staff', subject: 'ben' };

const entry = () => auditEntry('template.retired', NOW, ANN, {}, { name: 'any' });

function changeOf(name: string, more: Partial<DocumentChange> = {}): DocumentChange {
  return {
    ...{ id: newId('chg'), kind: 'Connection', name, operation: 'put' },
    asked: { labels: { team: 'crm' }, spec: { provider: 'dummy', owner: 'crm', config: {} } },
    ...{ author: { name: 'staff:ann', actor: ANN }, requestedAt: NOW, lapsesAt: LATER },
    ...more,
  };
}

const approved = (more: Partial<ChangeClosing> = {}): ChangeClosing => ({
  ...{ state: 'approved', at: NOW, by: BEN },
  ...more,
});

const record = (kind: 'Agent' | 'Connection', name: string): RecordWrite => ({
  ...{ kind, name, labels: {}, updatedBy: 'one', spec: { owner: 'crm' } },
  ...(kind === 'Agent' ? { newAgent: { id: newId('agt'), state: 'registered' as const } } : {}),
});

/**
 * Tests that every store of changes must pass. `make` returns an empty store, and a reader of the number of its audit
 * entries.
 */
export function changeStoreSuite(
  make: () => Promise<{ readonly store: DeclarationStore; readonly countEntries: () => Promise<number> }>,
): void {
  describe('a store of changes', () => {
    const add = (store: DeclarationStore, ...changes: readonly DocumentChange[]) =>
      store.underLock(async (state) => {
        for (const change of changes) await state.addChange(change, entry());
      });
    const close = (store: DeclarationStore, id: ChangeId, closing: ChangeClosing) =>
      store.underLock((state) => state.closeChange(id, closing, entry()));

    it('a store of changes keeps a change as it was asked for, with its entry, and finds it by its document', async () => {
      const { store, countEntries } = await make();
      const base = { labels: {}, spec: { owner: 'crm' }, revision: 3 };
      const [put, step] = [changeOf('crm', { base }), changeOf('erp', { operation: 'enable' })];
      const { asked: _, ...enable } = step;
      await add(store, put, enable);
      expect(await store.changes.find(put.id)).toEqual(put);
      expect(await store.changes.find(step.id)).toEqual(enable);
      expect(await store.changes.find(newId('chg'))).toBeUndefined();
      expect(await store.underLock((state) => state.openChange('Connection', 'crm'))).toEqual(put);
      expect(await store.underLock((state) => state.openChange('Issuer', 'crm'))).toBeUndefined();
      expect(await store.underLock((state) => state.openChanges())).toEqual([put, enable]);
      expect(await countEntries()).toBe(2);
    });

    it('a store of changes takes one waiting change of a document, and the next one when that is closed', async () => {
      const { store, countEntries } = await make();
      const [first, second] = [changeOf('crm'), changeOf('crm')];
      await add(store, first);
      await expect(add(store, second)).rejects.toThrow();
      await close(store, first.id, approved({ state: 'superseded', supersededBy: second.id }));
      await add(store, second);
      const closed = { state: 'superseded', at: NOW, by: BEN, supersededBy: second.id };
      expect(await store.changes.find(first.id)).toEqual({ ...first, closed });
      expect(await store.underLock((state) => state.openChanges())).toEqual([second]);
      expect(await countEntries()).toBe(3);
    });

    it('a store of changes closes a change once, and keeps nothing of a work that fails', async () => {
      const { store, countEntries } = await make();
      const change = changeOf('crm');
      await add(store, change);
      await close(store, change.id, approved({ reason: 'read it' }));
      await expect(close(store, change.id, approved({ state: 'refused' }))).rejects.toThrow();
      expect((await store.changes.find(change.id))?.closed).toEqual(approved({ reason: 'read it' }));
      const failing = store.underLock(async (state) => {
        await state.addChange(changeOf('erp'), entry());
        throw new Error('never mind');
      });
      await expect(failing).rejects.toThrow();
      expect(await store.underLock((state) => state.openChanges())).toEqual([]);
      expect(await countEntries()).toBe(2);
    });

    it('a store of changes lists by state, kind and name, the newest first, and counts what lapsed as lapsed', async () => {
      const { store } = await make();
      const [old, done, agent, fresh] = [
        changeOf('old', { lapsesAt: NOW }),
        changeOf('done'),
        changeOf('done', { kind: 'Agent' }),
        changeOf('fresh'),
      ];
      await add(store, old, done, agent, fresh);
      await close(store, done.id, approved());
      const list = async (filter: object, page: object = {}) => {
        const { items, next } = await store.changes.list({ now: NOW, ...filter }, { limit: 10, ...page });
        return next === undefined ? items.map(({ id }) => id) : [...items.map(({ id }) => id), next];
      };
      expect(await list({})).toEqual([fresh.id, agent.id, done.id, old.id]);
      expect(await list({ state: 'open' })).toEqual([fresh.id, agent.id]);
      expect(await list({ state: 'lapsed' })).toEqual([old.id]);
      expect(await list({ state: 'approved' })).toEqual([done.id]);
      expect(await list({ name: 'done' })).toEqual([agent.id, done.id]);
      expect(await list({ name: 'done', kind: 'Agent' })).toEqual([agent.id]);
      expect(await list({}, { limit: 2 })).toEqual([fresh.id, agent.id, agent.id]);
      expect(await list({}, { limit: 2, after: agent.id })).toEqual([done.id, old.id]);
      expect(await store.changes.lapsed(NOW, 10)).toEqual([old.id]);
      expect(await store.changes.lapsed(LATER, 2)).toEqual([old.id, agent.id]);
    });

    it('a store of changes moves a record, raises its revision, and names the person', async () => {
      const { store } = await make();
      const by = { name: 'staff:ann', actor: ANN };
      await store.underLock(async (state) => {
        await state.write([record('Agent', 'one'), record('Connection', 'crm')], []);
        await state.moveRecord({ kind: 'Agent', name: 'one', to: 'active', by, entry: entry() });
        await state.moveRecord({ kind: 'Connection', name: 'crm', to: 'enabled', by, entry: entry() });
        expect(await state.lockRecord('Agent', 'one')).toMatchObject({ revision: 2 });
        expect(await state.lockRecord('Agent', 'two')).toBeUndefined();
      });
      const moved = { revision: 2, updatedBy: 'staff:ann' };
      expect(await store.records.find('Agent', 'one')).toMatchObject({ ...moved, agent: { state: 'active' } });
      expect(await store.records.find('Connection', 'crm')).toMatchObject({
        ...moved,
        connection: { state: 'enabled' },
      });
    });
  });
}
