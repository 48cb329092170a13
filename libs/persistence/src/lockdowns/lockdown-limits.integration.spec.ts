import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { LockdownId } from '@mayfly/kernel';
import type { LockdownScope } from '@mayfly/tasks';
import { declareFor, TaskDatabase, taskIntent } from '@mayfly/testing';
import type { Pool } from 'pg';
import { requestStoresOn } from '../request-stores.fixture.js';
import { TaskEndings } from '../tasks/task-endings.js';
import { newLockdown } from './lockdown.fixture.js';
import { PgLockdownStore } from './lockdown.store.js';

let scene: TaskDatabase;
let pool: Pool;
let stores: ReturnType<typeof requestStoresOn>;
let store: PgLockdownStore;
beforeAll(async () => {
  scene = await TaskDatabase.start();
  pool = scene.pool();
  stores = requestStoresOn(scene, pool);
  store = new PgLockdownStore(pool, new TaskEndings(pool, stores.closing));
});
beforeEach(() => scene.empty());
afterAll(() => scene.stop());

const engage = (scope: LockdownScope): Promise<LockdownId> => store.engage(newLockdown(scene.clock, scope));

async function opened() {
  const intent = taskIntent(scene.clock, { leaseState: 'active' });
  await declareFor(scene, intent);
  expect(await stores.issuance.open(intent)).toBe('opened');
  return intent;
}

/** This test fails, and should not: when it passes, its limit is gone. docs/lockdowns.md names the limit. */
describe('the limits of a lockdown', () => {
  it.failing('a task whose row a session holds does not keep the other tasks of a lockdown alive', async () => {
    const [held, free] = [await opened(), await opened()];
    const session = await scene.session();
    await session.query(`BEGIN; SELECT FROM task WHERE id = '${held.task.id}' FOR UPDATE`);
    const ending = store.endTasks(await engage({ kind: 'all', name: '' }));
    await Promise.race([scene.untilBlocked(), ending]);
    const { endCause } = (await scene.task(free.task.id))!;
    await session.query('ROLLBACK');
    await ending;
    expect(endCause).toBe('lockdown');
  });
});
