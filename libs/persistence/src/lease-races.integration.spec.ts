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
