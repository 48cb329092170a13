import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { MAYFLY } from '@mayfly/audit';
import type { KeyHold } from '@mayfly/issuance';
import { newId } from '@mayfly/kernel';
import { declareFor, type IntentOptions, TaskDatabase, taskIntent } from '@mayfly/testing';
import fc from 'fast-check';
import type { Pool } from 'pg';
import { suspensionOf } from './request-stores.fixture.js';
import { TaskEndings } from './tasks/task-endings.js';
import { PgClosingStore } from './tasks/closing.store.js';
import { PgIssuanceStore } from './tasks/issuance.store.js';
import { PgKeyHoldStore } from './tasks/key-hold.store.js';

describe('two replicas', () => {
  let scene: TaskDatabase;
  let pools: readonly [Pool, Pool];
  let replicas: readonly [PgIssuanceStore, PgIssuanceStore];
  let closing: PgClosingStore;
  let endings: TaskEndings;

  beforeAll(async () => {
    scene = await TaskDatabase.start();
    pools = [scene.pool(), scene.pool()];
    replicas = [new PgIssuanceStore(pools[0]), new PgIssuanceStore(pools[1])];
    closing = new PgClosingStore(pools[0], scene.clock);
    endings = new TaskEndings(pools[0], closing);
  });

  beforeEach(() => scene.empty());
  afterAll(() => scene.stop());

  const intend = async (options: IntentOptions = {}) => {
    const intent = taskIntent(scene.clock, options);
    await declareFor(scene, intent);
    return intent;
  };
  const openOnBoth = (intents: readonly ReturnType<typeof taskIntent>[]) =>
    Promise.all(intents.map((intent, place) => replicas[place % 2 === 0 ? 0 : 1].open(intent)));

  it.each([
    ['agent', `UPDATE public.agent SET state = 'suspended'`],
    ['template', `UPDATE public.template SET current_version = 2`],
    ['template', `UPDATE public.template SET state = 'retired'`],
    ['connection', `UPDATE public.connection SET state = 'disabled'`],
  ] as const)('two replicas wait for a change of the %s that is under way: %s', async (verdict, change) => {
    const intent = await intend();
    await scene.query(`INSERT INTO connection (name, spec, updated_by) VALUES ('crm', '{}', 'test')`);
    const session = await scene.session();
    await session.query(`BEGIN; ${change}`);
    const answer = replicas[0].open(intent);
    await Promise.race([scene.untilBlocked(), answer]);
    await session.query('COMMIT');
    expect(await answer).toBe(verdict);
    expect(await scene.task(intent.task.id)).toBeUndefined();
  });

  it('two replicas open nothing for a request that waited for its locks until its instants are more than 5 s old', async () => {
    const intent = await intend();
    const session = await scene.session();
    await session.query('BEGIN; SELECT FROM public.agent FOR UPDATE');
    const answer = replicas[0].open(intent);
    await scene.untilBlocked();
    await scene.advance(6);
    await session.query('COMMIT');
    expect(await answer).toBe('clock');
  });

  it('two replicas wait for a request that takes over a lapsed key, and open nothing under the lapsed hold', async () => {
    const owner = { agentId: newId('agt'), runtime: 'ci', issuer: 'ci', subject: 'one' };
    const lapsed = (await new PgKeyHoldStore(pools[0]).hold(owner, 'key', 'body')) as KeyHold;
    const intent = { ...(await intend()), keyHold: lapsed };
    const successor = await scene.session();
    await successor.query(`BEGIN; SELECT public.hold_key('${owner.agentId}', 'ci', 'ci', 'one', 'key', 'body', -60)`);
    const answer = replicas[0].open(intent);
    await Promise.race([scene.untilBlocked(), answer]);
    await successor.query('COMMIT');
    expect(await answer).toBe('key');
    expect(await scene.query('SELECT task_id FROM idempotency_key')).toEqual([{ task_id: '' }]);
  });

  it('two replicas leave no living task of an agent that is suspended while it asks', async () => {
    for (let round = 0; round < 10; round += 1) {
      const intents = await Promise.all(Array.from({ length: 8 }, () => intend()));
      const agentId = intents[0]!.task.agent.id;
      const session = await scene.session();
      const suspend = async (): Promise<void> => {
        await session.query(`BEGIN; UPDATE public.agent SET state = 'suspended'`);
        await endings.request(session, suspensionOf(agentId));
        await session.query('COMMIT');
        await endings.finish(agentId);
      };
      const [verdicts] = await Promise.all([openOnBoth(intents), suspend()]);
      const causes = await Promise.all(intents.map(async ({ task }) => (await scene.task(task.id))?.endCause));
      expect(causes).toEqual(verdicts.map((verdict) => (verdict === 'opened' ? 'agent_suspended' : undefined)));
    }
  });

  it('two replicas mark the leases of a suspended agent for the worker, which finds them at once', async () => {
    const intent = await intend({ leaseState: 'active', connections: ['crm', 'files'] });
    await replicas[0].open(intent);
    const session = await scene.session();
    await endings.request(session, suspensionOf(intent.task.agent.id));
    await endings.finish(intent.task.agent.id);
    const claims = await closing.claimDue({ limit: 10 });
    expect(claims.map(({ cause }) => cause)).toEqual(['agent_suspended', 'agent_suspended']);
  });

  it('two replicas grant exactly what a scope allows, and give it all back', async () => {
    const intents = await Promise.all(Array.from({ length: 200 }, () => intend({ quota: { concurrentTasks: 50 } })));
    const verdicts = await openOnBoth(intents);
    const opened = intents.filter((_, place) => verdicts[place] === 'opened');
    expect([opened.length, verdicts.filter((verdict) => verdict === 'quota').length]).toEqual([50, 150]);
    const { scope } = intents[0]!.quota;
    expect(await scene.runningTasks(scope)).toBe(50);
    const failed = opened.map(({ task, leases }) =>
      closing.requestEnd({
        taskId: task.id,
        cause: 'failed',
        actor: MAYFLY,
        neverMinted: leases.map(({ id }) => id),
      }),
    );
    await Promise.all(failed);
    expect(await scene.runningTasks(scope)).toBe(0);
  });

  it('two replicas wait for what another one is about to take, and take none of it', async () => {
    const intent = await intend({ quota: { concurrentTasks: 50 } });
    await scene.query('SELECT public.quota_take($1, 49, 1000, 50)', [intent.quota.scope]);
    const other = await scene.session();
    await other.query(`BEGIN; SELECT public.quota_take('${intent.quota.scope}', 9, 1000, 50)`);
    const answer = replicas[0].open(intent);
    await scene.untilBlocked();
    await other.query('COMMIT');
    expect(await answer).toBe('quota');
    expect(await scene.runningTasks(intent.quota.scope)).toBe(50);
  });

  it('two replicas grant no more than a scope allows when its first tasks arrive together', async () => {
    const first = await scene.session();
    const sessions = await Promise.all(Array.from({ length: 12 }, () => scene.session()));
    for (let round = 0; round < 10; round += 1) {
      const take = (wanted: number) =>
        `SELECT public.quota_take('scope-${String(round)}', ${String(wanted)}, 9, 1) AS granted`;
      await first.query(`BEGIN; ${take(0)}`);
      const takes = sessions.map((session) => session.query<{ granted: number }>(take(1)));
      await scene.untilBlocked(sessions.length);
      await first.query('COMMIT');
      const granted = (await Promise.all(takes)).map(({ rows }) => rows[0]!.granted);
      expect(granted.reduce((sum, one) => sum + one)).toBe(1);
    }
  });

  it('two replicas take quota scopes in the order of their names, not of their requests', async () => {
    const [later, sooner] = [
      await intend({ template: { name: 'b', version: 1 } }),
      await intend({ template: { name: 'a', version: 1 } }),
    ];
    for (const { quota } of [later, sooner]) await scene.query('SELECT public.quota_take($1, 0, 9, 9)', [quota.scope]);
    const [holder, other] = [await scene.session(), await scene.session()];
    await holder.query(`BEGIN; SELECT FROM quota_counter WHERE scope = '${sooner.quota.scope}' FOR UPDATE`);
    const answers = Promise.all([later, sooner].map((intent) => replicas[0].open(intent)));
    await scene.untilBlocked();
    const lock = `SELECT FROM quota_counter WHERE scope = '${later.quota.scope}' FOR UPDATE NOWAIT`;
    const free = await other.query(lock).catch((error: unknown) => error);
    await holder.query('COMMIT');
    expect(await answers).toEqual(['opened', 'opened']);
    expect(free).toMatchObject({ rowCount: 1 });
  });

  it('two replicas do not lock each other out, whatever the order of the scopes', async () => {
    const names = Array.from({ length: 12 }, (_, place) => `template-${String(place)}`);
    const batch = (order: readonly string[]) =>
      Promise.all(order.map((name) => intend({ template: { name, version: 1 } })));
    for (let round = 0; round < 5; round += 1) {
      const batches = [await batch(names), await batch([...names].reverse())] as const;
      const verdicts = await Promise.all(
        batches.flatMap((intents, place) => intents.map((intent) => replicas[place === 0 ? 0 : 1].open(intent))),
      );
      expect(new Set(verdicts)).toEqual(new Set(['opened']));
    }
  });

  it('two replicas write many requests with one statement each, and a bad one alone fails', async () => {
    const intents = [await intend(), await intend(), await intend()];
    const [good, bad, other] = intents as [(typeof intents)[0], (typeof intents)[0], (typeof intents)[0]];
    const nul = { ...bad, task: { ...bad.task, purpose: 'a NUL is no text: \u0000' } };
    const answers = await Promise.allSettled([good, nul, other].map((intent) => replicas[0].open(intent)));
    expect(answers).toMatchObject([{ value: 'opened' }, { reason: { code: 'unavailable' } }, { value: 'opened' }]);
    expect(await scene.runningTasks(good.quota.scope)).toBe(2);
  });

  it('two replicas grant nothing when the audit entry cannot be written', async () => {
    const intent = await intend();
    await scene.query('REVOKE INSERT ON audit_entry FROM mayfly_app');
    await expect(replicas[0].open(intent)).rejects.toMatchObject({ code: 'unavailable' });
    await scene.query('GRANT INSERT ON audit_entry TO mayfly_app');
    expect(await scene.task(intent.task.id)).toBeUndefined();
    expect(await scene.runningTasks(intent.quota.scope)).toBe(0);
  });

  describe('that take tasks of a minute', () => {
    const take = async (pool: Pool, wanted: number, perMinute: number) => {
      const text =
        'SELECT public.quota_take($1, $2, $3, 1000000) AS granted, extract(epoch FROM clock_timestamp()) AS at';
      const { rows } = await pool.query<{ granted: number; at: string }>(text, ['scope', wanted, perMinute]);
      return { granted: rows[0]!.granted, at: Number(rows[0]!.at) };
    };

    it('two replicas with a limit of tasks per minute never take more than the limit in any sliding minute', async () => {
      const pause = fc.oneof(
        fc.constant(0),
        fc.double({ min: 0, max: 3, noNaN: true }),
        fc.constantFrom(59, 59.5, 60, 60.5, 61, 200),
      );
      const steps = fc.array(fc.record({ pause, wanted: fc.integer({ min: 1, max: 6 }) }), {
        minLength: 2,
        maxLength: 14,
      });
      const check = async (takes: readonly { pause: number; wanted: number }[], limit: number): Promise<void> => {
        await scene.empty();
        const grants: { granted: number; at: number }[] = [];
        for (const [place, { pause, wanted }] of takes.entries()) {
          await scene.advance(pause);
          grants.push(await take(pools[place % 2 === 0 ? 0 : 1], wanted, limit));
        }
        for (const { at: end } of grants) {
          const minute = grants.filter(({ at }) => at > end - 60 && at <= end);
          expect(minute.reduce((sum, { granted }) => sum + granted, 0)).toBeLessThanOrEqual(limit);
        }
      };
      await fc.assert(fc.asyncProperty(steps, fc.integer({ min: 1, max: 9 }), check), { numRuns: 40 });
    });

    it('two replicas with a limit of tasks per minute take again as soon as the minute is over', async () => {
      expect(await take(pools[0], 5, 3)).toMatchObject({ granted: 3 });
      await scene.advance(61);
      expect(await take(pools[1], 5, 3)).toMatchObject({ granted: 3 });
    });

    it('two replicas with a limit of tasks per minute count a grant at the time at which it is made, not at which it began to wait', async () => {
      await take(pools[0], 1, 10);
      const holder = await scene.session();
      await holder.query(`BEGIN; SELECT FROM public.quota_counter WHERE scope = 'scope' FOR UPDATE`);
      const waiting = take(pools[1], 9, 10);
      await scene.untilBlocked();
      await scene.advance(30);
      await holder.query('COMMIT');
      expect(await waiting).toMatchObject({ granted: 9 });
      await scene.advance(40);
      expect(await take(pools[0], 9, 10)).toMatchObject({ granted: 1 });
    });
  });
});
