import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { auditEntry, MAYFLY } from '@mayfly/audit';
import type { Delegation, TaskIntent } from '@mayfly/issuance';
import { addSeconds, type AgentId, newId, type TaskId } from '@mayfly/kernel';
import { declareFor, TaskDatabase, taskIntent } from '@mayfly/testing';
import type { Pool } from 'pg';
import { requestStoresOn } from '../request-stores.fixture.js';
import { PgDelegationStore } from './delegation.store.js';

let scene: TaskDatabase;
let pools: readonly [Pool, Pool];
let stores: readonly ReturnType<typeof requestStoresOn>[];
let delegations: PgDelegationStore;
beforeAll(async () => {
  scene = await TaskDatabase.start();
  pools = [scene.pool(), scene.pool()];
  stores = pools.map((pool) => requestStoresOn(scene, pool));
  delegations = new PgDelegationStore(pools[0]);
});
beforeEach(() => scene.empty());
afterAll(() => scene.stop());

const [one, two] = [() => stores[0]!, () => stores[1]!];

async function root(seconds = 600): Promise<TaskIntent> {
  const intent = taskIntent(scene.clock, { leaseState: 'active', lifetimeSeconds: seconds });
  await declareFor(scene, intent);
  expect(await one().issuance.open(intent)).toBe('opened');
  return intent;
}

function delegationOf({ task }: TaskIntent, acceptSeconds = 300): Delegation {
  const at = scene.clock.now();
  return {
    ...{ id: newId('tsk'), parentId: task.id, rootId: task.origin?.rootId ?? task.id },
    ...{ depth: (task.origin?.depth ?? 0) + 1, agent: task.agent.name, template: task.template.name },
    ...{ parameters: {}, purpose: 'a part', createdAt: at, acceptBy: addSeconds(at, acceptSeconds) },
  };
}

function delegate(delegation: Delegation, maxChildren = 1_000, key?: string) {
  const { id, agent, template, parameters, purpose, acceptBy, parentId } = delegation;
  const facts = { child: id, agent, template, parameters, purpose, acceptBy: acceptBy.toISOString() };
  return delegations.delegate({
    ...{ delegation, maxChildren, fingerprint: template, ...(key === undefined ? {} : { idempotencyKey: key }) },
    entry: auditEntry('task.delegated', delegation.createdAt, MAYFLY, { taskId: parentId }, facts),
  });
}

/** The intent of the task of a delegation. */
function childIntent({ id, parentId, rootId, depth }: Delegation, seconds = 300): TaskIntent {
  const intent = taskIntent(scene.clock, { leaseState: 'active', lifetimeSeconds: seconds });
  const origin = { parentId, rootId, depth, actors: ['agt_x' as AgentId] };
  return {
    ...intent,
    task: { ...intent.task, id, origin },
    leases: intent.leases.map((lease) => ({ ...lease, taskId: id })),
    audit: intent.audit.map((entry) => ({ ...entry, taskId: id })),
  };
}

async function child(parent: TaskIntent): Promise<TaskIntent> {
  const delegation = delegationOf(parent);
  expect(await delegate(delegation)).toEqual({ verdict: 'delegated' });
  // A second less than its parent has left.
  const left = (parent.task.expiresAt.getTime() - scene.clock.now().getTime()) / 1000;
  const intent = childIntent(delegation, Math.floor(left) - 1);
  expect(await two().issuance.open(intent)).toBe('opened');
  return intent;
}

const causes = async (...intents: readonly TaskIntent[]) =>
  Promise.all(intents.map(async ({ task }) => (await scene.task(task.id))?.endCause));
const endingsOf = async (id: TaskId) => (await scene.auditTypes(id)).filter((type) => type === 'task.ending').length;

describe('a task tree', () => {
  it('a task tree is stored with its place, and found with it', async () => {
    const top = await root();
    const leaf = await child(await child(top));
    const found = await one().tasks.find(leaf.task.id);
    expect(found?.origin).toMatchObject({ rootId: top.task.id, depth: 2, actors: ['agt_x'] });
    const nodes = await delegations.tree(top.task.id, 10);
    expect(nodes.map(({ depth, state }) => [depth, state])).toEqual([
      [0, 'active'],
      [1, 'active'],
      [2, 'active'],
    ]);
    expect((await delegations.ancestors(leaf.task.id)).map(({ template }) => template)).toHaveLength(3);
  });

  it.each(['completed', 'failed', 'revoked'] as const)(
    'a task tree ends below what is %s, once each',
    async (cause) => {
      const top = await root();
      const [left, right] = [await child(top), await child(top)];
      const leaf = await child(left);
      const claims = await one().closing.requestEnd({ taskId: left.task.id, cause, actor: MAYFLY });
      expect(claims.map(({ taskId }) => taskId).toSorted()).toEqual([left.task.id, leaf.task.id].toSorted());
      expect(await causes(top, left, right, leaf)).toEqual([undefined, cause, undefined, 'parent_ended']);
      await one().closing.requestEnd({ taskId: top.task.id, cause, actor: MAYFLY });
      expect(await causes(top, left, right, leaf)).toEqual([cause, cause, 'parent_ended', 'parent_ended']);
      for (const { task } of [top, left, right, leaf]) expect(await endingsOf(task.id)).toBe(1);
    },
  );

  it('a task tree ends through a task between that expired', async () => {
    const top = await root(900);
    const middle = await child(top);
    const leaf = await child(middle);
    await scene.query(`UPDATE task SET expires_at = now() WHERE id = $1`, [middle.task.id]);
    await scene.query(`UPDATE lease SET expires_at = now(), due_at = now() WHERE task_id = $1`, [middle.task.id]);
    const claims = await one().closing.claimDue({ limit: 10 });
    expect(claims).toHaveLength(2);
    expect(await causes(top, middle, leaf)).toEqual([undefined, 'expired', 'parent_ended']);
  });

  it.each<[string, (parent: TaskIntent, delegation: Delegation) => Promise<unknown>, string]>([
    ['is accepted already', (_, delegation) => two().issuance.open(childIntent(delegation)), 'delegation'],
    ['has lapsed', () => scene.advance(301), 'delegation'],
    [
      'has a parent that ends',
      ({ task }) => two().closing.requestEnd({ taskId: task.id, cause: 'completed', actor: MAYFLY }),
      'parent',
    ],
    ['is under a lockdown of its parent', ({ task }) => scene.lockDown({ kind: 'task', name: task.id }), 'lockdown'],
    ['is under a lockdown of its tree', ({ task }) => scene.lockDown({ kind: 'tree', name: task.id }), 'lockdown'],
  ])('a task tree grows by no delegation that %s', async (_, before, verdict) => {
    const top = await root(3_000);
    const delegation = delegationOf(top);
    await delegate(delegation);
    await before(top, delegation);
    expect(await one().issuance.open(childIntent(delegation))).toBe(verdict);
  });

  it('a task tree grows by no child that would outlive its parent', async () => {
    const delegation = delegationOf(await root(60));
    await delegate(delegation);
    expect(await one().issuance.open(childIntent(delegation, 61))).toBe('parent');
    expect(await one().issuance.open(childIntent(delegation, 50))).toBe('opened');
  });

  it('a task tree has no more children than its rule allows, of 64 that are asked for at once', async () => {
    const top = await root();
    const results = await Promise.all(Array.from({ length: 64 }, () => delegate(delegationOf(top), 10)));
    expect(results.filter(({ verdict }) => verdict === 'delegated')).toHaveLength(10);
    expect(results.filter(({ verdict }) => verdict === 'children')).toHaveLength(54);
  });

  it('a task tree has one child for one key, of 50 requests at once', async () => {
    const top = await root();
    const results = await Promise.all(Array.from({ length: 50 }, () => delegate(delegationOf(top), 10, 'key')));
    expect(results.filter(({ verdict }) => verdict === 'delegated')).toHaveLength(1);
    expect(new Set(results.flatMap((one) => (one.verdict === 'known' ? [one.delegation.id] : []))).size).toBe(1);
  });

  it('a task tree leaves nothing alive when its root ends while 64 children are taken up', async () => {
    for (let round = 0; round < 5; round += 1) {
      const top = await root();
      const offered = Array.from({ length: 64 }, () => delegationOf(top));
      await Promise.all(offered.map((one) => delegate(one)));
      const ending = (async () => {
        await new Promise((resolve) => setTimeout(resolve, round * 10));
        return one().closing.requestEnd({ taskId: top.task.id, cause: 'revoked', actor: MAYFLY });
      })();
      const opened = await Promise.all(offered.map((one_, n) => stores[n % 2]!.issuance.open(childIntent(one_))));
      await ending;
      expect(new Set(opened).size).toBeGreaterThan(0);
      const [row] = await scene.query<{ alive: number; opened: number }>(
        `SELECT count(*) FILTER (WHERE end_cause IS NULL)::int AS alive, count(*)::int AS opened FROM task WHERE root_id = $1`,
        [top.task.id],
      );
      expect(row).toEqual({ alive: 0, opened: opened.filter((verdict) => verdict === 'opened').length });
    }
  });

  it('a task tree ends whole when its tasks are ended at once from both ends, by two replicas', async () => {
    for (let round = 0; round < 5; round += 1) {
      const top = await root();
      const line = [top];
      for (let depth = 0; depth < 4; depth += 1) line.push(await child(line.at(-1)!), await child(line.at(-1)!));
      await Promise.all(
        line.map(({ task }, n) =>
          stores[n % 2]!.closing.requestEnd({ taskId: task.id, cause: 'revoked', actor: MAYFLY }),
        ),
      );
      expect((await causes(...line)).includes(undefined)).toBe(false);
      for (const { task } of line) expect(await endingsOf(task.id)).toBe(1);
    }
  });
});
