import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { MAYFLY } from '@mayfly/audit';
import type { TaskIntent } from '@mayfly/issuance';
import type { LeaseClaim } from '@mayfly/revocation';
import { addSeconds } from '@mayfly/kernel';
import { activationOf, declareFor, type IntentOptions, TaskDatabase, taskIntent } from '@mayfly/testing';
import { PgClosingStore } from './tasks/closing.store.js';
import { Database } from './database/database.js';
import { PgIssuanceStore } from './tasks/issuance.store.js';
import { PgTaskStore } from './tasks/task.store.js';

/**
 * Sessions named `frozen` stop in the middle of a statement that reads leases: after its snapshot, before its locks.
 */
const FREEZER = `
CREATE FUNCTION test_clock.freeze() RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$ BEGIN
  IF current_setting('application_name') = 'frozen' THEN PERFORM pg_advisory_xact_lock_shared(42); END IF;
  RETURN true;
END $$;
ALTER TABLE lease ENABLE ROW LEVEL SECURITY;
CREATE POLICY freezer ON lease USING (test_clock.freeze())`;

describe('the stores of one task', () => {
  let scene: TaskDatabase;
  let database: Database;
  let issuance: PgIssuanceStore;
  let tasks: PgTaskStore;
  let closing: PgClosingStore;

  beforeAll(async () => {
    scene = await TaskDatabase.start();
    await scene.query(FREEZER);
    database = new Database({ url: scene.url, searchPath: scene.searchPath, onConnectionLost: () => undefined });
    issuance = new PgIssuanceStore(database.pool);
    tasks = new PgTaskStore(database.pool);
    closing = new PgClosingStore(scene.pool(), scene.clock);
  });

  beforeEach(() => scene.empty());

  afterAll(async () => {
    await database.close();
    await scene.stop();
  });

  async function opened(options: IntentOptions = {}): Promise<TaskIntent> {
    const intent = taskIntent(scene.clock, options);
    await declareFor(scene, intent);
    expect(await issuance.open(intent)).toBe('opened');
    return intent;
  }

  async function active(options: IntentOptions = {}): Promise<TaskIntent> {
    const intent = await opened(options);
    expect(await issuance.activate(activationOf(intent))).toBe(true);
    return intent;
  }

  /** A sweep that has seen which leases are due, and is held up while `meanwhile` happens. */
  async function sweepFrozenWhile(meanwhile: () => Promise<unknown>): Promise<readonly LeaseClaim[]> {
    const holder = await scene.session();
    await holder.query('SELECT pg_advisory_lock(42)');
    const sweep = new PgClosingStore(scene.pool('frozen'), scene.clock).claimDue({ limit: 10 });
    await scene.untilBlocked();
    await meanwhile();
    await holder.query('SELECT pg_advisory_unlock(42)');
    return sweep;
  }

  it('the stores of one task activate or end a task, never both', async () => {
    const intents = await Promise.all(Array.from({ length: 24 }, () => opened({ connections: ['crm', 'files'] })));
    const outcomes = await Promise.all(
      intents.map((intent) =>
        Promise.all([
          issuance.activate(activationOf(intent)),
          closing.requestEnd({ taskId: intent.task.id, cause: 'revoked', actor: MAYFLY }),
        ]),
      ),
    );
    for (const [place, { task }] of intents.entries()) {
      const [isActive, claims] = outcomes[place]!;
      const issued = (await scene.auditTypes(task.id)).filter((type) => type === 'lease.issued');
      expect([claims.length, issued.length]).toEqual(isActive ? [2, 2] : [0, 0]);
      expect((await scene.leases(task.id)).map(({ state }) => state)).toEqual(['revoking', 'revoking']);
    }
  });

  it('the stores of one task write nothing of an activation that waited for the end of its task', async () => {
    const { task, ...intent } = await opened();
    const ending = await scene.session();
    await ending.query(
      `BEGIN; UPDATE public.task SET end_cause = 'revoked'; UPDATE public.lease SET state = 'revoking'`,
    );
    const activation = issuance.activate(activationOf({ task, ...intent }));
    await scene.untilBlocked();
    await ending.query('COMMIT');
    expect(await activation).toBe(false);
    expect(await scene.auditTypes(task.id)).toEqual(['task.granted']);
    expect(await scene.wakeUps(intent.leases[0]!.id)).toEqual([]);
  });

  it('the stores of one task lock a task before its leases, so that nobody waits for each other', async () => {
    const { task } = await active();
    const [claim] = await closing.requestEnd({ taskId: task.id, cause: 'completed', actor: MAYFLY });
    const other = await scene.session();
    await other.query('BEGIN; SELECT FROM public.task FOR UPDATE');
    const recording = closing.record([{ claim: claim!, state: 'revoked', effectiveAt: scene.clock.now() }]);
    await scene.untilBlocked();
    await other.query(`UPDATE public.lease SET last_error = 'seen by somebody else'; COMMIT`);
    await recording;
    expect(await scene.leases(task.id)).toMatchObject([{ state: 'revoked' }]);
  });

  describe('between an operator who abandons a lease and the proof of a worker', () => {
    const actor = { kind: 'person', issuer: 'staff', subject: 'olivia' } as const;

    /** A lease whose first try failed and whose second try is at the provider. */
    async function claimedAgain(): Promise<{ task: TaskIntent['task']; claim: LeaseClaim }> {
      const { task } = await active();
      const [first] = await closing.requestEnd({ taskId: task.id, cause: 'completed', actor: MAYFLY });
      const retryAt = addSeconds(scene.clock.now(), -5);
      await closing.record([{ claim: first!, state: 'revoking', retryAt, error: 'no answer' }]);
      const [claim] = await closing.claimDue({ limit: 1, leaseId: first!.id });
      return { task, claim: claim! };
    }

    it('the first commit wins, and the audit tells only that one', async () => {
      const races = [];
      for (let n = 0; n < 12; n += 1) races.push(await claimedAgain());
      const others = new PgClosingStore(scene.pool('operator'), scene.clock);
      const results = await Promise.all(
        races.map(async ({ claim }, place) => {
          const prove = () => closing.record([{ claim, state: 'revoked', effectiveAt: scene.clock.now() }]);
          const abandon = () => others.abandon({ leaseId: claim.id, reason: 'gone', actor });
          if (place % 2 === 0) return (await Promise.all([abandon(), prove()]))[0];
          return (await Promise.all([prove(), abandon()]))[1];
        }),
      );
      for (const [place, { task }] of races.entries()) {
        const end = results[place]?.abandonedAt === undefined ? 'revoked' : 'abandoned';
        expect(await scene.leases(task.id)).toMatchObject([{ state: end }]);
        expect((await scene.auditTypes(task.id)).slice(-2)).toEqual([`lease.${end}`, 'task.ended']);
        expect(await scene.task(task.id)).toMatchObject({ state: 'completed', liveLeases: 0 });
      }
      expect(await scene.runningTasks('template/read-cases')).toBe(0);
    });

    it('a request that waited for the commit of a proof abandons nothing', async () => {
      const { task, claim } = await claimedAgain();
      const other = await scene.session();
      await other.query('BEGIN; SELECT FROM public.task FOR UPDATE');
      const recording = closing.record([{ claim, state: 'revoked', effectiveAt: scene.clock.now() }]);
      await scene.untilBlocked();
      const abandoning = closing.abandon({ leaseId: claim.id, reason: 'gone', actor });
      await scene.untilBlocked(2);
      await other.query('COMMIT');
      await recording;
      expect(await abandoning).toMatchObject({ found: { state: 'revoked' } });
      expect(await scene.leases(task.id)).toMatchObject([{ state: 'revoked' }]);
      expect(await scene.auditTypes(task.id)).not.toContain('lease.abandoned');
    });

    it('a proof that waited for the commit of an abandonment revokes nothing', async () => {
      const { task, claim } = await claimedAgain();
      const other = await scene.session();
      await other.query('BEGIN; SELECT FROM public.task FOR UPDATE');
      const abandoning = closing.abandon({ leaseId: claim.id, reason: 'gone', actor });
      await scene.untilBlocked();
      const recording = closing.record([{ claim, state: 'revoked', effectiveAt: scene.clock.now() }]);
      await scene.untilBlocked(2);
      await other.query('COMMIT');
      expect(await abandoning).toMatchObject({ abandonedAt: expect.any(Date) });
      await recording;
      expect(await scene.leases(task.id)).toMatchObject([{ state: 'abandoned' }]);
      expect(await scene.auditTypes(task.id)).not.toContain('lease.revoked');
    });
  });

  it('the stores of one task do not revoke a task that a heartbeat has just kept', async () => {
    const { task } = await active({ heartbeatTimeoutSeconds: 30 });
    await scene.advance(30);
    const at = scene.clock.now();
    const claims = await sweepFrozenWhile(() => tasks.heartbeat(task.id, at, addSeconds(at, 30)));
    await expectKept(task.id, claims);
  });

  it('the stores of one task do not revoke a task that a renewal has just kept', async () => {
    const { task } = await active({ heartbeatTimeoutSeconds: 30 });
    await scene.advance(30);
    const dueAt = addSeconds(scene.clock.now(), 30);
    const expiresAt = addSeconds(task.expiresAt, 60);
    const renewal = { taskId: task.id, expiresAt, dueAt, audit: [], wakeUps: [] };
    await expectKept(task.id, await sweepFrozenWhile(() => tasks.renew(renewal)));
  });

  it('the stores of one task do not revoke a task that was activated at the last moment', async () => {
    const intent = await opened();
    await scene.advance(12);
    await expectKept(intent.task.id, await sweepFrozenWhile(() => issuance.activate(activationOf(intent))));
  });

  async function expectKept(taskId: TaskIntent['task']['id'], claims: readonly LeaseClaim[]): Promise<void> {
    expect(claims).toEqual([]);
    expect(await scene.task(taskId)).toMatchObject({ state: 'active', endCause: undefined });
    expect(await scene.leases(taskId)).toMatchObject([{ state: 'active' }]);
  }

  describe('as rows', () => {
    it.each(['lease', 'task', 'audit_entry'])('a row of %s cannot be deleted by any role', async (table) => {
      await active();
      await expect(database.pool.query(`DELETE FROM public.${table}`)).rejects.toMatchObject({ code: '42501' });
      await expect(scene.query(`DELETE FROM ${table}`)).rejects.toMatchObject({ code: '42501' });
      await expect(scene.query(`TRUNCATE ${table} CASCADE`)).rejects.toMatchObject({ code: '42501' });
    });

    it.each(['revoked', 'expired', 'failed', 'abandoned'])(
      'the row of a lease does not leave the state %s',
      async (state) => {
        await active();
        await scene.query('UPDATE lease SET state = $1, due_at = NULL', [state]);
        await expectRefused(`UPDATE public.lease SET state = 'active', due_at = now()`);
      },
    );

    it.each(['completed', 'expired', 'revoked', 'failed'])(
      'the row of a task does not leave the state %s',
      async (state) => {
        await active();
        await scene.query('UPDATE task SET state = $1', [state]);
        await expectRefused(`UPDATE public.task SET state = 'active'`);
      },
    );

    async function expectRefused(text: string): Promise<void> {
      await expect(database.pool.query(text)).rejects.toMatchObject({ code: '42501' });
      await expect(scene.query(text)).rejects.toMatchObject({ code: '42501' });
    }

    it('the rows of audit entries never change', async () => {
      await active();
      await expect(scene.query(`UPDATE public.audit_entry SET body = '{}'`)).rejects.toMatchObject({ code: '42501' });
    });

    it.each(['minting', 'active', 'revoking'])('the row of a lease that is %s has a due time', async (state) => {
      await active();
      await scene.query('UPDATE lease SET state = $1', [state]);
      await expect(scene.query('UPDATE lease SET due_at = NULL')).rejects.toMatchObject({ code: '23514' });
    });

    it('the rows of ended leases have no due time', async () => {
      await active();
      await expect(scene.query(`UPDATE public.lease SET state = 'revoked'`)).rejects.toMatchObject({ code: '23514' });
    });
  });
});
