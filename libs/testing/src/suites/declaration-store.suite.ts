import { describe, expect, it } from '@jest/globals';
import { auditEntry, MAYFLY } from '@mayfly/audit';
import type { DeclarationStore, EditedDraft, NewVersion, RecordWrite } from '@mayfly/declarations';
import { newId } from '@mayfly/kernel';
import { templateOf } from '../builders.js';

const { version: VERSION } = templateOf();

const draftOf = (...editors: readonly string[]): EditedDraft => ({
  ...{ labels: { team: 'crm' }, spec: VERSION.spec },
  author: editors.at(-1) ?? '',
  editors,
});

const versionOf = (version: number): NewVersion => ({
  ...VERSION,
  ...{ name: 'read', version, author: 'one', publisher: 'two' },
});

const entryOf = (name: string) =>
  auditEntry('template.retired', new Date('2030-01-01T00:00:00Z'), MAYFLY, {}, { name });

const connection = (name: string): RecordWrite => ({
  ...{ kind: 'Connection', name, labels: {}, updatedBy: 'one' },
  spec: { provider: 'dummy', owner: 'crm', config: {} },
});

/**
 * Tests that every `DeclarationStore` must pass. `make` returns an empty store, and a reader of the number of its audit
 * entries.
 */
export function declarationStoreSuite(
  make: () => Promise<{ readonly store: DeclarationStore; readonly countEntries: () => Promise<number> }>,
): void {
  describe('a store of declared state', () => {
    it('a store of declared state keeps nothing of a change that fails, neither rows nor entries', async () => {
      const { store, countEntries } = await make();
      const change = store.underLock(async (state) => {
        await state.saveDraft('read', draftOf('one'), entryOf('read'));
        await state.write([connection('crm')], [entryOf('crm')]);
        expect(await state.template('read')).toMatchObject({ revision: 1 });
        throw new Error('never mind');
      });
      await expect(change).rejects.toThrow();
      expect(await store.templates.find('read')).toBeUndefined();
      expect(await store.records.find('Connection', 'crm')).toBeUndefined();
      expect(await countEntries()).toBe(0);
    });

    it('a store of declared state lets changes see each other whole', async () => {
      const { store, countEntries } = await make();
      const change = () =>
        store.underLock(async (state) => {
          const next = await state.nextVersion('read');
          await state.publishDraft(versionOf(next), entryOf('read'));
          return next;
        });
      expect((await Promise.all([change(), change(), change()])).sort()).toEqual([1, 2, 3]);
      expect(await store.templates.find('read')).toMatchObject({ currentVersion: 3 });
      expect(await countEntries()).toBe(3);
    });

    it('a store of declared state counts the revisions of a template, and keeps its draft apart from its versions', async () => {
      const { store } = await make();
      const find = () => store.templates.find('read');
      await store.underLock((state) => state.saveDraft('read', draftOf('one'), entryOf('read')));
      expect(await find()).toMatchObject({ state: 'draft', revision: 1, draft: { author: 'one', editors: ['one'] } });
      await store.underLock((state) => state.saveDraft('read', draftOf('one', 'two'), entryOf('read')));
      expect(await find()).toMatchObject({ revision: 2, draft: { author: 'two', editors: ['one', 'two'] } });
      await store.underLock((state) => state.publishDraft(versionOf(1), entryOf('read')));
      expect(await find()).toMatchObject({ state: 'published', revision: 3, currentVersion: 1 });
      expect(await find()).not.toHaveProperty('draft');
      await store.underLock((state) => state.retireTemplate('read', entryOf('read')));
      expect(await find()).toMatchObject({ state: 'retired', revision: 4, currentVersion: 1 });
      expect(await store.templates.version('read', 1)).toMatchObject({ ...versionOf(1) });
      expect(await store.templates.version('read', 2)).toBeUndefined();
    });

    it('a store of declared state counts the revisions of a record, and leaves an agent its id and its state', async () => {
      const { store } = await make();
      const agent = (owner: string, state: 'registered' | 'active'): RecordWrite => ({
        ...{ kind: 'Agent', name: 'one', labels: {}, updatedBy: owner, spec: { owner } },
        newAgent: { id: newId('agt'), state },
      });
      const write = (one: RecordWrite) => store.underLock((state) => state.write([one], []));
      await write(agent('crm', 'registered'));
      const first = await store.records.find('Agent', 'one');
      expect(first).toMatchObject({ revision: 1, updatedBy: 'crm', agent: { state: 'registered' } });
      await write(agent('sales', 'active'));
      const second = await store.records.find('Agent', 'one');
      expect(second).toMatchObject({ revision: 2, updatedBy: 'sales', spec: { owner: 'sales' }, agent: first?.agent });
      await write(connection('crm'));
      expect(await store.records.find('Connection', 'crm')).toMatchObject({ connection: { state: 'enabled' } });
      const policy = {
        kind: 'Policy',
        name: 'guard',
        labels: {},
        updatedBy: 'one',
        spec: { owner: 'crm', policies: {} },
      };
      await write(policy as RecordWrite);
      await write({ ...policy, updatedBy: 'two' } as RecordWrite);
      expect(await store.records.find('Policy', 'guard')).toMatchObject({ revision: 2, updatedBy: 'two' });
    });

    it('a store of declared state reads documents in force, and lists retired names', async () => {
      const { store } = await make();
      const declared = async () => {
        const { declarations, retiredTemplates } = await store.records.state();
        return [...declarations.map(({ kind, metadata }) => `${kind}/${metadata.name}`).sort(), ...retiredTemplates];
      };
      await store.underLock(async (state) => {
        await state.write([connection('crm')], []);
        await state.saveDraft('idea', draftOf('one'), entryOf('idea'));
        await state.publishDraft(versionOf(1), entryOf('read'));
      });
      expect(await declared()).toEqual(['Connection/crm', 'TaskTemplate/read']);
      await store.underLock(async (state) => {
        await state.retireTemplate('read', entryOf('read'));
        await state.remove('Connection', 'crm', entryOf('crm'));
      });
      expect(await declared()).toEqual(['read']);
    });

    it('a store of declared state pages templates by name, and versions from the newest', async () => {
      const { store } = await make();
      await store.underLock(async (state) => {
        for (const name of ['b', 'c', 'a']) await state.saveDraft(name, draftOf('one'), entryOf(name));
        for (const version of [1, 2, 3]) await state.publishDraft(versionOf(version), entryOf('read'));
      });
      const { items, next } = await store.templates.list({ limit: 2 });
      expect([items.map(({ name }) => name), next]).toEqual([['a', 'b'], 'b']);
      const rest = await store.templates.list({ limit: 2, after: 'b' });
      expect([rest.items.map(({ name }) => name), rest.next]).toEqual([['c', 'read'], undefined]);
      const newest = await store.templates.versions('read', { limit: 2 });
      expect([newest.items.map(({ version }) => version), newest.next]).toEqual([[3, 2], 2]);
      const oldest = await store.templates.versions('read', { limit: 2, after: 2 });
      expect([oldest.items.map(({ version }) => version), oldest.next]).toEqual([[1], undefined]);
    });
  });
}
