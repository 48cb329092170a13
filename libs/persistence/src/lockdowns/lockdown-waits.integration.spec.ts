import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { LockdownId } from '@mayfly/kernel';
import { declareFor, TaskDatabase, taskIntent } from '@mayfly/testing';
import type { Pool } from 'pg';
import { requestStoresOn } from '../request-stores.fixture.js';
import { TaskEndings } from '../tasks/task-endings.js';
import { newLockdown } from './lockdown.fixture.js';
import { PgLockdownStore } from './lockdown.store.js';

let scene: TaskDatabase;
let pool: Pool;
let stores: ReturnType<typeof requestStoresOn>;
beforeAll(async () => {
  scene = await TaskDatabase.start();
  pool = scene.pool();
  stores = requestStoresOn(scene, pool);
});
beforeEach(() => scene.empty());
afterAll(() => scene.stop());

/** Engages a lockdown of an agent. `request` replaces the last step before the commit. */
function engage(agent: string, request?: TaskEndings['request']): Promise<LockdownId> {
  const endings = new TaskEndings(pool, stores.closing);
  if (request !== undefined) endings.request = request;
  return new PgLockdownStore(pool, endings).engage(newLockdown(scene.clock, { kind: 'agent', name: agent }));
}

describe('the waits of an engagement', () => {
  it('an engagement waits for the grants under way alone: a later grant waits for it, and reads its lockdown', async () => {
    const [earlier, later] = [await scene.session(), await scene.session()];
    const grant = 'SELECT public.engaged_guards_locked() AS engaged';
    await earlier.query(`BEGIN; ${grant}`);
    const engaging = engage('one');
    await scene.untilBlocked();
    const granting = later.query<{ engaged: string[] }>(grant);
    await Promise.race([scene.untilBlocked(2), granting]);
    await earlier.query('COMMIT');
    await engaging;
    expect((await granting).rows).toEqual([{ engaged: ['agent:one'] }]);
  });

  it('an engagement is quick among grants that never leave a moment without one', async () => {
    let isOver = false;
    const grants = Array.from({ length: 12 }, async () => {
      const session = await scene.session();
      while (!isOver) await session.query('SELECT public.engaged_guards_locked(), pg_sleep(0.03)');
    });
    const startedAt = performance.now();
    for (let place = 0; place < 10; place += 1) await engage(`agent-${String(place)}`);
    const taken = performance.now() - startedAt;
    isOver = true;
    await Promise.all(grants);
    expect(taken).toBeLessThan(5_000);
  });

  it('an engagement is made by another replica after one was frozen in the middle of its engagement', async () => {
    let [freeze, thaw] = [(): void => undefined, (): void => undefined];
    const frozen = new Promise<void>((resolve) => (freeze = resolve));
    const thawed = new Promise<void>((resolve) => (thaw = resolve));
    const lost = engage('one', () => {
      freeze();
      return thawed;
    }).catch((error: unknown) => error);
    await frozen;
    const id = await engage('two');
    expect(await scene.query(`SELECT kind, name, lockdown_id AS id FROM guard WHERE lockdown_id IS NOT NULL`)).toEqual([
      { kind: 'agent', name: 'two', id },
    ]);
    const intent = taskIntent(scene.clock);
    await declareFor(scene, intent);
    expect(await stores.issuance.open(intent)).toBe('opened');
    thaw();
    expect(await lost).toMatchObject({ code: 'unavailable' });
  });
});
