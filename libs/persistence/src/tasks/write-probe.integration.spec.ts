import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Problem } from '@mayfly/kernel';
import { createMigratedDatabase, type TestDatabase } from '@mayfly/testing';
import pg from 'pg';
import { WriteProbe } from './write-probe.js';

const SERVING_ROLE = 'mayfly_app';
const WRITTEN = ['task', 'lease', 'quota_counter', 'audit_entry', 'outbox', 'idempotency_key', 'identity_use'];

let place: TestDatabase;
let admin: pg.Client;
let pool: pg.Pool;
beforeAll(async () => {
  place = await createMigratedDatabase();
  admin = new pg.Client({ connectionString: place.adminUrl });
  await admin.connect();
  await admin.query(`CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
                     $$ BEGIN RAISE 'no space left for %', to_jsonb(NEW); END $$`);
  pool = new pg.Pool({ connectionString: place.url });
});
afterAll(async () => {
  await pool.end();
  await admin.end();
  await place.drop();
});

/** Rejects with the refusal; resolves with undefined where there is none. */
const refusalOf = (probe: WriteProbe): Promise<Problem | undefined> =>
  probe.check().then(
    () => undefined,
    (refusal: unknown) => refusal as Problem,
  );

describe('a store that takes writes', () => {
  it('a store that takes writes is ready, and nothing of a probe is left', async () => {
    await expect(new WriteProbe(pool).check()).resolves.toBeUndefined();
    for (const table of WRITTEN) expect((await admin.query(`SELECT FROM ${table}`)).rows).toEqual([]);
    const { rows } = await admin.query('SELECT is_called FROM outbox_id_seq');
    expect(rows).toEqual([{ is_called: false }]);
  });

  it('a store that takes writes is ready while requests hold rows of agents, templates, tasks and quota locked', async () => {
    await admin.query(`BEGIN; LOCK TABLE ${WRITTEN.join()} IN ROW EXCLUSIVE MODE`);
    await admin.query(`SELECT quota_take('tasks', 1, 1, 1)`);
    await expect(new WriteProbe(pool).check()).resolves.toBeUndefined();
    await admin.query('ROLLBACK');
  });

  it('a store that takes writes is probed once for a hundred callers, and again a second later', async () => {
    let probes = 0;
    const counting = new pg.Pool({ connectionString: place.url });
    counting.on('acquire', () => (probes += 1));
    let now = 0;
    const probe = new WriteProbe(counting, () => now);
    const hundred = () => Promise.all(Array.from({ length: 100 }, () => probe.check()));
    await hundred();
    now = 999;
    await hundred();
    expect(probes).toBe(1);
    now = 1_000;
    await hundred();
    expect(probes).toBe(2);
    await counting.end();
  });
});

describe('a store that takes no writes', () => {
  /** the steps that undo a test, in reverse order */
  const undo: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const step of undo.splice(0).reverse()) await step();
  });
  const run = async (statement: string, reversal: string): Promise<void> => {
    await admin.query(statement);
    undo.push(() => admin.query(reversal));
  };
  const expectRefusal = async (reason: string, sqlState: string): Promise<void> => {
    const fresh = new pg.Pool({ connectionString: place.url });
    undo.push(() => fresh.end());
    let refusal = await refusalOf(new WriteProbe(fresh));
    // a slow machine gives the reason only at a later look
    for (let looks = 1; refusal?.extensions.reason === 'too-slow' && looks < 5; looks++)
      refusal = await refusalOf(new WriteProbe(fresh));
    expect(refusal).toMatchObject({ code: 'unavailable', extensions: { reason } });
    expect(refusal?.detail).toContain(`SQLSTATE ${sqlState}`);
    expect(refusal?.detail).not.toContain(SERVING_ROLE);
    expect(refusal?.detail).not.toContain('no space left');
  };

  it.each([
    ['audit_entry', 'INSERT'],
    ['task', 'INSERT'],
    ['task', 'UPDATE'],
    ['lease', 'INSERT'],
    ['lease', 'UPDATE'],
    ['quota_counter', 'INSERT'],
    ['quota_counter', 'UPDATE'],
    ['outbox', 'INSERT'],
    ['idempotency_key', 'INSERT'],
    ['identity_use', 'INSERT'],
  ])('a store that takes no writes since %s takes no %s, refuses', async (table, event) => {
    await run(
      `CREATE TRIGGER failing BEFORE ${event} ON ${table} FOR EACH ROW EXECUTE FUNCTION fail()`,
      `DROP TRIGGER failing ON ${table}`,
    );
    await expectRefusal('write-refused', 'P0001');
  });

  it('a store that takes no writes since it is read-only, refuses', async () => {
    const set = `ALTER DATABASE ${place.name}`;
    await run(
      `${set} SET default_transaction_read_only = on`,
      `SET default_transaction_read_only = off; ${set} RESET default_transaction_read_only`,
    );
    await expectRefusal('read-only', '25006');
  });

  it.each([
    ...WRITTEN.map((table) => ['INSERT', table] as const),
    ...(['task', 'lease', 'quota_counter', 'idempotency_key'] as const).map((table) => ['UPDATE', table] as const),
  ])('a store that takes no writes since the right to %s %s is missing, refuses', async (right, table) => {
    await run(`REVOKE ${right} ON ${table} FROM ${SERVING_ROLE}`, `GRANT ${right} ON ${table} TO ${SERVING_ROLE}`);
    await expectRefusal('right-missing', '42501');
  });

  it('a store that takes no writes since its lock table is full, refuses, and is ready again once there is room', async () => {
    await run(fillLockTable(), 'SELECT pg_advisory_unlock_all()');
    await expectRefusal('lock-table-full', '53200');
    await admin.query('SELECT pg_advisory_unlock_all()');
    await expect(new WriteProbe(pool).check()).resolves.toBeUndefined();
  });

  it('a store that takes no writes since a table is locked, refuses in time', async () => {
    await run('BEGIN; LOCK TABLE audit_entry IN EXCLUSIVE MODE', 'ROLLBACK');
    await expectRefusal('locked', '55P03');
  });

  it('a store refuses writes when no server listens at its address', async () => {
    const nowhere = new pg.Pool({ connectionString: 'postgresql://mayfly_app:canary@127.0.0.1:1/mayfly' });
    const refusal = await refusalOf(new WriteProbe(nowhere));
    expect(refusal).toMatchObject({ code: 'unavailable', extensions: { reason: 'unreachable' } });
    expect(refusal?.detail).not.toContain('canary');
    await nowhere.end();
  });
});

/** Locks of the session outlast the statement that fails for want of room. */
function fillLockTable(): string {
  return `DO $$ BEGIN PERFORM pg_advisory_lock(n) FROM generate_series(1, 1000000) AS n;
          EXCEPTION WHEN out_of_memory THEN NULL; END $$`;
}
