import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { TaskIntent } from '@mayfly/issuance';
import type { LockdownId, TaskId } from '@mayfly/kernel';
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
let endings: TaskEndings;
beforeAll(async () => {
  scene = await TaskDatabase.start();
  pool = scene.pool();
  stores = requestStoresOn(scene, pool);
  endings = new TaskEndings(pool, stores.closing);
  store = new PgLockdownStore(pool, endings);
});
beforeEach(() => scene.empty());
afterAll(() => scene.stop());

const engage = (scope: LockdownScope): Promise<LockdownId> => store.engage(newLockdown(scene.clock, scope));

async function opened(): Promise<TaskIntent> {
  const intent = taskIntent(scene.clock, { leaseState: 'active' });
  await declareFor(scene, intent);
  expect(await stores.issuance.open(intent)).toBe('opened');
  return intent;
}

/** Holds the rows of these tasks. Call the returned function to let them go. */
async function hold(...ids: readonly TaskId[]): Promise<() => Promise<void>> {
  const session = await scene.session();
  const list = ids.map((id) => `'${id}'`).join(', ');
  await session.query(`BEGIN; SELECT FROM task WHERE id IN (${list}) FOR UPDATE`);
  return async () => {
    await session.query('ROLLBACK');
  };
}

const causeOf = async ({ task }: TaskIntent) => (await scene.task(task.id))?.endCause;
const isPending = async () => (await scene.query('SELECT FROM task_ending')).length === 1;

describe('a lockdown of tasks whose rows another session holds', () => {
  it('a lockdown ends every task whose row is free before it waits for a row that a session holds', async () => {
    const tasks = [await opened(), await opened(), await opened()];
    const [held, ...free] = [...tasks].sort((a, b) => (a.task.id < b.task.id ? -1 : 1));
    const letGo = await hold(held!.task.id);
    const ending = store.endTasks(await engage({ kind: 'all', name: '' }));
    await scene.untilBlocked();
    expect(await Promise.all(free.map(causeOf))).toEqual(['lockdown', 'lockdown']);
    expect(await causeOf(held!)).toBeUndefined();
    await letGo();
    await ending;
    expect(await causeOf(held!)).toBe('lockdown');
    expect(await isPending()).toBe(false);
  });

  it('a worker waits for no row that a session holds, keeps the order, and ends the task when the row is free', async () => {
    const [held, free] = [await opened(), await opened()];
    const letGo = await hold(held.task.id);
    await engage({ kind: 'all', name: '' });
    while (await endings.round());
    expect([await causeOf(held), await causeOf(free)]).toEqual([undefined, 'lockdown']);
    expect(await endings.round()).toBe(false);
    expect(await isPending()).toBe(true);
    await letGo();
    while (await endings.round());
    expect(await causeOf(held)).toBe('lockdown');
    expect(await isPending()).toBe(false);
  });

  it('a worker passes over a whole tree while a session holds the row of one of its tasks', async () => {
    const [root, child, other] = [await opened(), await opened(), await opened()];
    await scene.query(
      `BEGIN; SET LOCAL session_replication_role = replica;
       UPDATE task SET parent_id = '${root.task.id}', root_id = '${root.task.id}', depth = 1 WHERE id = '${child.task.id}'; COMMIT`,
    );
    const letGo = await hold(child.task.id);
    await engage({ kind: 'all', name: '' });
    while (await endings.round());
    expect(await Promise.all([root, child, other].map(causeOf))).toEqual([undefined, undefined, 'lockdown']);
    await letGo();
    while (await endings.round());
    const causes = await Promise.all([root, child].map(causeOf));
    expect(causes[0]).toBe('lockdown');
    expect(['lockdown', 'parent_ended']).toContain(causes[1]);
  });
});
