import { beforeEach, describe, expect, it } from '@jest/globals';
import { auditEntry, MAYFLY } from '@mayfly/audit';
import type { Epoch, EpochRows, EpochStore } from '@mayfly/revocation';

const epoch = (sequence: number): Epoch => ({ lineage: 'one', sequence, leaf: `leaf-${String(sequence)}` });
const FOUND = { sequence: 4, leaf: 'leaf-4' };
const AT = new Date('2026-11-30T10:00:00.000Z');

/** Tests that every `EpochStore` must pass. `make` returns two stores at one place that is empty. */
export function epochStoreSuite(make: () => Promise<readonly [EpochStore, EpochStore]>): void {
  describe('a store of the outside epoch', () => {
    let [one, other]: readonly EpochStore[] = [];
    const stores = () => [one!, other!] as const;
    beforeEach(async () => {
      [one, other] = await make();
    });

    it('an empty place has no epoch, and the first write is read back by both', async () => {
      const [store, beside] = stores();
      expect(await store.read()).toBeUndefined();
      expect(await store.write(epoch(1), AT, undefined)).toBe(true);
      expect(await beside.read()).toMatchObject({ epoch: epoch(1), writtenAt: AT });
    });

    it('a second first write writes nothing', async () => {
      const [store, beside] = stores();
      await store.write(epoch(1), AT, undefined);
      expect(await beside.write(epoch(2), AT, undefined)).toBe(false);
      expect(await store.read()).toMatchObject({ epoch: epoch(1) });
    });

    it('a write replaces what was read, and a write over something else writes nothing', async () => {
      const [store, beside] = stores();
      await store.write(epoch(1), AT, undefined);
      const late = await beside.read();
      const current = await store.read();
      expect(await store.write(epoch(3), AT, current?.version)).toBe(true);
      expect(await beside.write(epoch(2), AT, late?.version)).toBe(false);
      expect(await beside.read()).toMatchObject({ epoch: epoch(3) });
    });
  });
}

/** The rows of one database without entries, and a way to seal an entry. */
export interface EpochScene {
  readonly rows: EpochRows;
  /** Writes and seals one entry, and returns its leaf hash. */
  seal(): Promise<string>;
  auditTypes(): Promise<readonly string[]>;
}

/** Tests that every `EpochRows` must pass. */
export function epochRowsSuite(make: () => Promise<EpochScene>): void {
  describe('the epoch inside of a database', () => {
    let scene: EpochScene;
    beforeEach(async () => {
      scene = await make();
    });
    const entered = (lineage: string | undefined, expected?: Epoch) => {
      const facts = { cause: 'older', found: { lineage: lineage ?? null, sequence: 0, leaf: '' } };
      const entry = auditEntry('quarantine.entered', AT, MAYFLY, {}, facts);
      return scene.rows.enter({ cause: 'older', expected, found: FOUND, lineage, since: AT }, entry);
    };
    const confirmed = (lineage: string, replaced?: Epoch) => {
      const entry = auditEntry('quarantine.confirmed', AT, MAYFLY, {}, { lineage, reason: 'test' });
      return scene.rows.confirm({ lineage, replaced }, entry);
    };

    it('a new database has no lineage, no entry and no quarantine', async () => {
      expect(await scene.rows.read(0)).toEqual({
        ...{ lineage: undefined, isWritten: false, head: { sequence: 0, leaf: '' }, leafAt: '' },
        ...{ superseded: undefined, quarantine: undefined },
      });
    });

    it('the last entry and the entry that was asked for are read with their leaf hashes', async () => {
      const leaves = [await scene.seal(), await scene.seal(), await scene.seal()];
      expect(await scene.rows.read(2)).toMatchObject({ head: { sequence: 3, leaf: leaves[2] }, leafAt: leaves[1] });
      expect(await scene.rows.read(4)).toMatchObject({ leafAt: '' });
    });

    it('the first lineage stays, and only its own note counts', async () => {
      expect([await scene.rows.adopt('one'), await scene.rows.adopt('two')]).toEqual(['one', 'one']);
      await scene.rows.noteWritten('two');
      expect(await scene.rows.read(0)).toMatchObject({ lineage: 'one', isWritten: false });
      await scene.rows.noteWritten('one');
      expect(await scene.rows.read(0)).toMatchObject({ isWritten: true });
    });

    it('a quarantine begins once, with one entry, and only for the lineage that was compared', async () => {
      await scene.rows.adopt('one');
      expect(await entered('two')).toBe(false);
      expect([await entered('one', epoch(9)), await entered('one')]).toEqual([true, false]);
      expect(await scene.rows.read(0)).toMatchObject({
        quarantine: { since: AT, cause: 'older', expected: epoch(9), found: FOUND },
      });
      expect(await scene.auditTypes()).toEqual(['quarantine.entered']);
    });

    it('a confirmation ends the quarantine once, with a new lineage and the epoch that it replaces', async () => {
      await scene.rows.adopt('one');
      await scene.rows.noteWritten('one');
      expect(await confirmed('two')).toBe(false);
      await entered('one', epoch(9));
      expect([await confirmed('two', epoch(9)), await confirmed('three')]).toEqual([true, false]);
      expect(await scene.rows.read(0)).toMatchObject({
        ...{ lineage: 'two', isWritten: false, superseded: epoch(9), quarantine: undefined },
      });
      expect(await scene.auditTypes()).toEqual(['quarantine.entered', 'quarantine.confirmed']);
    });
  });
}
