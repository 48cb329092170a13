import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MAYFLY } from '@mayfly/audit';
import { newId, type TaskId } from '@mayfly/kernel';
import { bareEntry, createMigratedDatabase, type TestDatabase } from '@mayfly/testing';
import pg from 'pg';
import { grantRuntimeRole } from '../database/runtime-role.js';
import { inTransaction } from '../database/transaction.js';
import { AuditPartitions } from './audit-partitions.js';
import { insertAudit } from './audit-rows.js';
import { AuditSealer } from './audit-sealer.js';
import { AuditReader } from './audit.reader.js';

const WIDTH = 50_000_000;

let database: TestDatabase;
let owner: pg.Client;
let pool: pg.Pool;
let partitions: AuditPartitions;

beforeEach(async () => {
  database = await createMigratedDatabase();
  owner = new pg.Client({ connectionString: database.adminUrl });
  await owner.connect();
  pool = new pg.Pool({ connectionString: database.url, max: 8 });
  partitions = new AuditPartitions(pool);
});

afterEach(async () => {
  await Promise.all([owner.end(), pool.end()]);
  await database.drop();
});

const entry = (taskId: TaskId, n: number) => bareEntry('task.renewed', new Date(n), MAYFLY, { taskId }, { n });
const write = (taskId: TaskId, ...numbers: number[]) =>
  insertAudit(
    pool,
    numbers.map((n) => entry(taskId, n)),
  );

/** Lets the next batch have the number `batch`. */
const continueAt = (batch: number) => owner.query(`SELECT setval('audit_batch', $1, false)`, [batch]);

async function partitionNames(): Promise<string[]> {
  const { rows } = await owner.query<{ name: string }>(
    `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'audit_entry'::regclass ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}

/** The partition of each entry, in the order of their batches. */
async function placesOfEntries(): Promise<string[]> {
  const { rows } = await owner.query<{ partition: string }>(
    'SELECT tableoid::regclass::text AS partition FROM audit_entry ORDER BY batch, place',
  );
  return rows.map(({ partition }) => partition);
}

async function story(taskId: TaskId): Promise<number[]> {
  const reader = new AuditReader(pool);
  const found: string[] = [];
  let after;
  do {
    const page = await reader.story(taskId, { limit: 2, after });
    found.push(...page.items.map(({ body }) => body));
    after = page.next;
  } while (after !== undefined);
  return found.map((body) => (JSON.parse(body) as { n: number }).n);
}

describe('the partitions of the audit', () => {
  it('the partitions of the audit take the entries on both sides of a boundary, which are sealed without a gap and read in order', async () => {
    const [one, other] = [newId('tsk'), newId('tsk')];
    await continueAt(WIDTH - 2);
    for (let n = 0; n < 4; n += 1) {
      await write(one, 10 * n, 10 * n + 1, 10 * n + 2);
      if (n % 2 === 1) await write(other, n);
    }
    expect(await placesOfEntries()).toEqual([
      ...Array<string>(6).fill('audit_entry_first'),
      ...Array<string>(8).fill('audit_entry_1'),
    ]);
    expect(await new AuditSealer(pool).seal(3)).toBe(7);
    expect(await new AuditSealer(pool).seal()).toBe(7);
    const reader = new AuditReader(pool);
    const pages = [await reader.entries({}, { limit: 5 })];
    while (pages.at(-1)!.next !== undefined)
      pages.push(await reader.entries({}, { limit: 5, after: pages.at(-1)!.next }));
    const seqs = pages.flatMap(({ items }) => items.map(({ seq }) => seq));
    expect(seqs).toEqual(Array.from({ length: 14 }, (_, index) => index + 1));
    expect(await story(one)).toEqual([0, 1, 2, 10, 11, 12, 20, 21, 22, 30, 31, 32]);
    expect(await story(other)).toEqual([1, 3]);
  });

  it('the partitions of the next two ranges are made ahead, each once, by many replicas', async () => {
    expect(await partitionNames()).toEqual([
      'audit_entry_1',
      'audit_entry_2',
      'audit_entry_default',
      'audit_entry_first',
    ]);
    expect(await partitions.prepare()).toBe(0);
    await continueAt(WIDTH + 1);
    const made = await Promise.all(Array.from({ length: 6 }, () => partitions.prepare()));
    expect(made.reduce((sum, count) => sum + count)).toBe(1);
    expect(await partitionNames()).toContain('audit_entry_3');
    await continueAt(3 * WIDTH - 1);
    await write(newId('tsk'), 1);
    await write(newId('tsk'), 2);
    expect(await placesOfEntries()).toEqual(['audit_entry_2', 'audit_entry_3']);
  });

  it('the default partition takes entries whose range has no partition, and the ranges after the sequence are made', async () => {
    const task = newId('tsk');
    await continueAt(50 * WIDTH);
    await write(task, 1);
    expect(await partitions.prepare()).toBe(2);
    await write(task, 2);
    await continueAt(51 * WIDTH);
    await write(task, 3);
    expect(await placesOfEntries()).toEqual(['audit_entry_default', 'audit_entry_default', 'audit_entry_51']);
    expect(await new AuditSealer(pool).seal()).toBe(3);
    expect(await story(task)).toEqual([1, 2, 3]);
  });

  it('a range with entries in the default partition is left there, and the ranges after it are made', async () => {
    await continueAt(50 * WIDTH);
    await write(newId('tsk'), 1);
    await continueAt(49 * WIDTH);
    await expect(partitions.prepare()).rejects.toMatchObject({ code: '23514' });
    await continueAt(50 * WIDTH + 1);
    expect(await partitions.prepare()).toBe(2);
    expect(await partitionNames()).toEqual(expect.arrayContaining(['audit_entry_51', 'audit_entry_52']));
  });

  it('a partition is made while writers and readers are in their transactions', async () => {
    await write(newId('tsk'), 1);
    await inTransaction(pool, async (writer) => {
      await insertAudit(writer, [entry(newId('tsk'), 2)]);
      await writer.query('SELECT FROM public.audit_entry WHERE batch < 10');
      await owner.query(`SELECT setval('audit_batch', ${String(WIDTH)})`);
      expect(await partitions.prepare()).toBe(1);
    });
  });

  it('a backup that reads the default partition delays the making of partitions, and no entry', async () => {
    await continueAt(WIDTH);
    const backup = await pool.connect();
    await backup.query('BEGIN; SELECT FROM public.audit_entry');
    await expect(partitions.prepare()).rejects.toMatchObject({ code: '55P03' });
    await write(newId('tsk'), 1);
    await backup.query('COMMIT');
    backup.release();
    expect(await partitions.prepare()).toBe(1);
  });

  it.each(['url', 'adminUrl'] as const)(
    'each partition, also a later one, refuses a change or removal as %s',
    async (role) => {
      await owner.query('ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO mayfly_app');
      await continueAt(WIDTH);
      await partitions.prepare();
      for (const batch of [1, WIDTH, 2 * WIDTH, 3 * WIDTH, 90 * WIDTH]) {
        await continueAt(batch);
        await write(newId('tsk'), 1);
      }
      const client = new pg.Client({ connectionString: database[role] });
      await client.connect();
      const names = await partitionNames();
      expect(names).toHaveLength(5);
      expect(new Set(await placesOfEntries())).toEqual(new Set(names));
      for (const name of names) {
        for (const change of [`UPDATE ${name} SET body = ''`, `DELETE FROM ${name}`, `TRUNCATE ${name}`]) {
          await expect(client.query(change)).rejects.toMatchObject({
            code: '42501',
            message: expect.stringMatching(role === 'url' ? /permission denied/ : /its rows are history/),
          });
        }
      }
      await expect(client.query('TRUNCATE audit_entry')).rejects.toMatchObject({ code: '42501' });
      await client.end();
    },
  );

  it('the serving role may not write to a partition, detach it, or make one of its choice', async () => {
    await owner.query('GRANT ALL ON ALL TABLES IN SCHEMA public TO mayfly_app');
    await grantRuntimeRole(owner, 'mayfly_app');
    for (const statement of [
      `INSERT INTO public.audit_entry_1 (batch, place, id, at, type, body) VALUES (${String(WIDTH)}, 0, '', now(), '', '')`,
      'ALTER TABLE public.audit_entry DETACH PARTITION public.audit_entry_1',
      'ALTER TABLE public.audit_entry_1 DISABLE TRIGGER ALL',
      `SELECT public.add_audit_partition('mine', 'DEFAULT')`,
      `SELECT public.close_audit_partition('public.audit_entry_1')`,
    ])
      await expect(pool.query(statement)).rejects.toMatchObject({ code: '42501' });
  });
});
