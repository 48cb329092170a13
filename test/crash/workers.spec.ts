import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { openDatabaseScene, type BrokerProcess, type DatabaseScene, unusedPort } from '../support/broker-process.js';
import { rowsOf } from '../support/rows.js';
import { holdRoles, leaseRoles, openTransaction, roleOf } from '../support/target.js';
import { grant, leaseIdOf, READ_EMEA, secretOf, statesOf, taskIn, type TaskBody } from '../support/tasks.js';
import { until } from '../support/until.js';

let scene: DatabaseScene;
let witness: BrokerProcess;
let token: string;
beforeAll(async () => {
  scene = await openDatabaseScene();
  witness = await scene.start({ MAYFLY_WORKER: 'off' });
  token = await scene.agentToken('support-agent');
}, 120_000);
afterAll(() => scene.close());

/** Steps that release what a failed test would leave held or frozen. */
const undo: (() => unknown)[] = [];
afterEach(() => Promise.all(undo.splice(0).map((step) => step())));

const startWorker = (more = {}) => scene.start({ MAYFLY_API: 'off', ...more });
const ask = <Row extends Record<string, unknown>>(statement: string, leaseId: string) =>
  rowsOf<Row>(scene.database.adminUrl, statement, [leaseId]);

interface LeaseRow extends Record<string, unknown> {
  readonly state: string;
  readonly version: number;
  readonly ended_at: Date | null;
  readonly attempts: number;
  readonly claimed: boolean;
}

async function leaseOf(leaseId: string): Promise<LeaseRow> {
  const columns = 'state, version, ended_at, attempts, coalesce(claimed_until > now(), false) AS claimed';
  return (await ask<LeaseRow>(`SELECT ${columns} FROM lease WHERE id = $1`, leaseId))[0]!;
}

async function entriesOf(leaseId: string): Promise<readonly string[]> {
  const rows = await ask<{ type: string }>(
    'SELECT type FROM audit_entry WHERE lease_id = $1 ORDER BY batch, place',
    leaseId,
  );
  return rows.map(({ type }) => type);
}

/** Starts a worker that dies at the failpoint, often before it says that it is ready. */
async function dieAt(step: string): Promise<void> {
  const died = await startWorker({ MAYFLY_FAILPOINT: step }).then(
    async ({ exited }) => JSON.stringify(await exited),
    (error: unknown) => String(error),
  );
  expect(died).toContain('"signal":"SIGKILL"');
}

/** Lets the claim of a dead or frozen process lapse now: it lasts 30 s. */
const lapse = (leaseId: string) =>
  ask(
    `UPDATE lease SET claimed_until = now() - interval '1 second' WHERE id = $1 AND claimed_until IS NOT NULL`,
    leaseId,
  );

/** Completes a task at a process that dies when it has claimed the leases: only workers can end them now. */
async function completedByNobody(): Promise<{ readonly task: TaskBody; readonly leaseId: string }> {
  const task = await grant(witness, token, { ...READ_EMEA, ttlSeconds: 280 });
  const dying = await scene.start({ MAYFLY_WORKER: 'off', MAYFLY_FAILPOINT: 'claim' });
  await dying.send(`POST /tasks/${task.id}/complete`, { token }).catch(() => undefined);
  await dying.exited;
  const leaseId = leaseIdOf(task, 'db');
  expect(await leaseOf(leaseId)).toMatchObject({ state: 'revoking', claimed: true });
  return { task, leaseId };
}

function ended({ id }: TaskBody, state: string): Promise<TaskBody> {
  return until(`the task is ${state}`, 60, async () => {
    const seen = taskIn(await witness.send(`GET /tasks/${id}`, { token }));
    return seen.state === state && seen;
  });
}

describe('workers that fail', () => {
  it('a job that killed three workers is done by the fourth, once', async () => {
    const { task, leaseId } = await completedByNobody();
    for (const step of ['claim', 'revoke', 'revoke']) {
      for (const { leaseId: id } of task.credentials) await lapse(id);
      await dieAt(step);
      expect(await leaseOf(leaseId)).toMatchObject({ state: 'revoking', claimed: true });
    }
    const worker = await startWorker();
    for (const { leaseId: id } of task.credentials) await lapse(id);
    expect(statesOf(await ended(task, 'completed'))).toEqual({ db: 'revoked', api: 'revoked' });
    expect(await entriesOf(leaseId)).toEqual(['lease.issued', 'lease.revoking', 'lease.revoked']);
    expect((await leaseOf(leaseId)).attempts).toBeGreaterThanOrEqual(3);
    expect(await leaseRoles(scene.targetUrl)).not.toContain(roleOf(leaseId));
    await worker.kill();
  }, 180_000);

  it('a worker that was frozen past its claim changes nothing when it goes on', async () => {
    const { task, leaseId } = await completedByNobody();
    const letGo = await holdRoles(scene.targetUrl);
    undo.push(letGo);
    const zombie = await startWorker();
    undo.push(() => zombie.kill());
    await lapse(leaseId);
    await until('the worker has claimed the lease', 30, async () => (await leaseOf(leaseId)).claimed);
    await until('its call waits at the target', 20, isWaitingAtTarget);
    zombie.signal('SIGSTOP');
    await lapse(leaseId);
    const other = await startWorker();
    undo.push(() => other.kill());
    await letGo();
    expect(statesOf(await ended(task, 'completed'))).toMatchObject({ db: 'revoked' });
    const before = await leaseOf(leaseId);
    zombie.signal('SIGCONT');
    await until('the frozen worker works again', 20, async () => (await fetch(`${zombie.url}/readyz`)).ok);
    // A second task shows that its loops go on, and have written what they had.
    const next = await grant(witness, token, { ...READ_EMEA, ttlSeconds: 2 });
    await other.kill();
    await ended(next, 'expired');
    expect(await leaseOf(leaseId)).toEqual(before);
    expect(await entriesOf(leaseId)).toEqual(['lease.issued', 'lease.revoking', 'lease.revoked']);
  }, 180_000);

  it('a queue that is dead for the whole life of a task changes nothing about its end', async () => {
    const dead = `redis://127.0.0.1:${String(await unusedPort())}`;
    const broker = await scene.start({ REDIS_URL: dead });
    undo.push(() => broker.kill());
    const task = await grant(broker, token, { ...READ_EMEA, ttlSeconds: 3 });
    const session = await openTransaction(secretOf(task, 'db', 'url'));
    const late = performance.timeOrigin + (await session.ended) - Date.parse(task.expiresAt);
    console.log(`with a dead queue: session dead ${late.toFixed(0)} ms after the deadline`);
    expect(statesOf(await ended(task, 'expired'))).toEqual({ db: 'expired', api: 'expired' });
    expect(broker.output()).toContain('queue');
  }, 120_000);
});

async function isWaitingAtTarget(): Promise<boolean> {
  const rows = await rowsOf(
    scene.targetUrl,
    `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ILIKE '%ROLE%' AND pid <> pg_backend_pid()`,
  );
  return rows.length > 0;
}
