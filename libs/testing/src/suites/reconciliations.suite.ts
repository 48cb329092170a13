import { beforeEach, describe, expect, it } from '@jest/globals';
import { auditEntry, MAYFLY } from '@mayfly/audit';
import { newId } from '@mayfly/kernel';
import type {
  Difference,
  Reconciliation,
  ReconciliationRecords,
  ReconciliationTurn,
  ReconciliationTurns,
} from '@mayfly/revocation';

/** A store of reconciliations without rows, its clock, and the types of its audit entries in order. */
export interface ReconciliationScene {
  readonly store: ReconciliationRecords & ReconciliationTurns;
  advance(seconds: number): void | Promise<void>;
  auditTypes(): Promise<readonly string[]>;
}

const ACTOR = { kind: 'person', issuer: 'https://id.example', subject: 'one-operator' } as const;
const FOUND: Difference = { kind: 'unmarked', action: 'reported', object: 'mayfly_left' };
const SECONDS = 60;

/** Tests that every `ReconciliationRecords` with `ReconciliationTurns` must pass. */
export function reconciliationsSuite(make: () => ReconciliationScene | Promise<ReconciliationScene>): void {
  describe('a store of reconciliations', () => {
    let scene: ReconciliationScene;
    beforeEach(async () => {
      scene = await make();
    });

    const request = (connection = 'crm'): Promise<Reconciliation> =>
      scene.store.request({ id: newId('rcn'), connection, actor: ACTOR });
    const taken = async (): Promise<ReconciliationTurn> => {
      const turn = await scene.store.takeRequested(SECONDS);
      if (turn === undefined) throw new Error('no reconciliation waits');
      return turn;
    };
    const ending = () => {
      const facts = { connection: 'crm', object: 'mayfly_left', cause: 'unknown_lease' };
      return auditEntry('orphan.ending', new Date(), MAYFLY, {}, facts);
    };
    const finish = (turn: ReconciliationTurn, differences: readonly Difference[] = [FOUND]) => {
      const id = turn.requested?.id ?? newId('rcn');
      const row = { id, state: 'done', differences, leftOut: 2 } as const;
      return scene.store.settle(turn, { seen: 'digest', row, entries: [] });
    };

    it('a store of reconciliations records a request once, with its entry, however many ask at once', async () => {
      const asked = await Promise.all(Array.from({ length: 10 }, () => request()));
      expect(new Set(asked.map(({ id }) => id)).size).toBe(1);
      expect(asked[0]).toMatchObject({ connection: 'crm', state: 'running', actor: ACTOR, differences: [] });
      expect(asked[0]).not.toHaveProperty('startedAt');
      expect(await scene.auditTypes()).toEqual(['reconciliation.requested']);
      expect((await request('other')).id).not.toBe(asked[0]!.id);
    });

    it('a finished reconciliation has its differences, and the next request is a new one', async () => {
      const first = await request();
      expect(await finish(await taken())).toBe(true);
      const found = await scene.store.find(first.id);
      expect(found).toMatchObject({ state: 'done', differences: [FOUND], leftOut: 2 });
      expect([found!.startedAt, found!.finishedAt]).toEqual([expect.any(Date), expect.any(Date)]);
      expect((await request()).id).not.toBe(first.id);
    });

    it('a failed reconciliation says why', async () => {
      const { id } = await request();
      const row = { id, state: 'failed', differences: [], leftOut: 0, error: 'the database does not answer' } as const;
      expect(await scene.store.settle(await taken(), { seen: '', row, entries: [] })).toBe(true);
      expect(await scene.store.find(id)).toMatchObject({ state: 'failed', error: 'the database does not answer' });
    });

    it('one of many processes takes a reconciliation, and nobody compares its connection meanwhile', async () => {
      await request();
      const turns = await Promise.all(Array.from({ length: 8 }, () => scene.store.takeRequested(SECONDS)));
      expect(turns.filter((turn) => turn !== undefined)).toHaveLength(1);
      expect(await scene.store.take('crm', SECONDS)).toBeUndefined();
      expect(await scene.store.take('other', SECONDS)).toBeDefined();
    });

    it('a request waits while a scheduled comparison has the turn of its connection, and delays no other request', async () => {
      const scheduled = await scene.store.take('crm', SECONDS);
      const [waiting, other] = [await request(), await request('other')];
      expect((await taken()).requested!.id).toBe(other.id);
      expect(await scene.store.takeRequested(SECONDS)).toBeUndefined();
      expect(await scene.store.take('crm', SECONDS)).toBeUndefined();
      await scene.store.settle(scheduled!, { seen: '', entries: [] });
      // no scheduled comparison overtakes the request
      expect(await scene.store.take('crm', SECONDS)).toBeUndefined();
      expect((await taken()).requested!.id).toBe(waiting.id);
    });

    it('a reconciliation of a process that died is taken again, and what the dead process says later is refused', async () => {
      const { id } = await request();
      const dead = await taken();
      await scene.advance(SECONDS + 1);
      expect(await scene.store.note(dead, [ending()])).toBe(false);
      const next = await taken();
      expect(next.requested).toEqual({ id, attempts: 2 });
      expect(await finish(dead)).toBe(false);
      expect(await scene.store.find(id)).toMatchObject({ state: 'running' });
      expect(await finish(next, [])).toBe(true);
      expect(await scene.store.find(id)).toMatchObject({ state: 'done', differences: [] });
      expect(await scene.auditTypes()).toEqual(['reconciliation.requested']);
    });

    it('entries are committed while the turn holds, and once it is given back they are not', async () => {
      const turn = (await scene.store.take('crm', SECONDS))!;
      expect(await scene.store.note(turn, [ending()])).toBe(true);
      expect(await scene.store.settle(turn, { seen: '', entries: [ending()] })).toBe(true);
      expect(await scene.store.note(turn, [ending()])).toBe(false);
      expect(await scene.auditTypes()).toEqual(['orphan.ending', 'orphan.ending']);
    });

    it('a scheduled comparison writes a row only when it has one, and the next one knows what was seen', async () => {
      const first = (await scene.store.take('crm', SECONDS))!;
      expect(first.seen).toBe('');
      await scene.store.settle(first, { seen: 'digest', entries: [] });
      expect((await scene.store.list({}, { limit: 5 })).items).toEqual([]);
      const second = (await scene.store.take('crm', SECONDS))!;
      expect(second.seen).toBe('digest');
      await finish(second);
      expect((await scene.store.list({}, { limit: 5 })).items).toMatchObject([
        { connection: 'crm', state: 'done', actor: MAYFLY, differences: [FOUND] },
      ]);
    });

    it('the list has the newest first, by connection when asked, page by page', async () => {
      const ids: string[] = [];
      for (const connection of ['crm', 'other', 'billing']) ids.unshift((await request(connection)).id);
      const first = await scene.store.list({}, { limit: 2 });
      expect(first.items.map(({ id }) => id)).toEqual(ids.slice(0, 2));
      const second = await scene.store.list({}, { limit: 2, after: first.next });
      expect(second).toEqual({ items: [expect.objectContaining({ id: ids[2] })] });
      expect((await scene.store.list({ connection: 'other' }, { limit: 2 })).items).toHaveLength(1);
      expect(await scene.store.find(newId('rcn'))).toBeUndefined();
    });
  });
}
