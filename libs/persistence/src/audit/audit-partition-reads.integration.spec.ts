import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MAYFLY } from '@mayfly/audit';
import { newId } from '@mayfly/kernel';
import { bareEntry, createMigratedDatabase, type TestDatabase } from '@mayfly/testing';
import pg from 'pg';
import { insertAudit } from './audit-rows.js';
import { AuditReader } from './audit.reader.js';

const WIDTH = 50_000_000;

let database: TestDatabase;
let owner: pg.Client;
let pool: pg.Pool;

describe('reading and sealing with three partitions of many entries', () => {
  const BATCHES = 4_000;
  const RANGES = [0, 1, 2];
  const busy = newId('tsk');

  beforeAll(async () => {
    database = await createMigratedDatabase();
    owner = new pg.Client({ connectionString: database.adminUrl });
    await owner.connect();
    pool = new pg.Pool({ connectionString: database.url, max: 1 });
    for (const range of RANGES) {
      // Two entries a batch: one of the task, each hundredth a refused identity.
      await owner.query(
        `INSERT INTO audit_entry (batch, place, id, at, type, task_id, agent, body)
         SELECT $1::bigint + b, place, 'aud', timestamptz '2027-01-01' + ($1::bigint / 1000 + b) * interval '1 s',
           CASE WHEN b % 100 = 0 THEN 'identity.refused' ELSE 'lease.issued' END,
           CASE WHEN b % 500 = 0 THEN $3 ELSE 'tsk_' || b END, 'a', repeat('x', 200)
         FROM generate_series(1, $2::int) b, generate_series(0, 1) place`,
        [range * WIDTH, BATCHES, busy],
      );
    }
    await owner.query(`INSERT INTO audit_seal SELECT batch, row_number() OVER (ORDER BY batch) * 2 - 1, 2, repeat('x', 64)::bytea, max(at)
      FROM audit_entry GROUP BY batch`);
    await owner.query(`SELECT setval('audit_batch', $1)`, [2 * WIDTH + BATCHES]);
    await owner.query('ANALYZE audit_entry_first, audit_entry_1, audit_entry_2, audit_seal');
  });
  afterAll(async () => {
    await Promise.all([owner.end(), pool.end()]);
    await database.drop();
  });

  interface Node {
    readonly 'Node Type': string;
    readonly 'Relation Name'?: string;
    readonly 'Actual Loops': number;
    readonly Plans?: readonly Node[];
  }

  /** The scans that a read executes, as `<kind> <table>`. */
  async function scansOf(read: (reader: AuditReader) => Promise<unknown>): Promise<string[]> {
    let scans: string[] = [];
    const explaining = {
      query: async (text: string, values: unknown[]) => {
        const { rows } = await pool.query<{ 'QUERY PLAN': [{ Plan: Node }] }>(
          `EXPLAIN (ANALYZE, FORMAT JSON) ${text}`,
          values,
        );
        scans = scansIn(rows[0]!['QUERY PLAN'][0].Plan);
        return { rows: [] };
      },
    };
    await read(new AuditReader(explaining as unknown as pg.Pool));
    return scans.filter((scan) => scan.includes('audit_entry')).sort();
  }

  function scansIn(node: Node): string[] {
    if (node['Actual Loops'] === 0) return [];
    const own = node['Relation Name'] === undefined ? [] : [`${node['Node Type']} ${node['Relation Name']}`];
    return [...own, ...(node.Plans ?? []).flatMap(scansIn)];
  }

  it.each<[string, (reader: AuditReader) => Promise<unknown>]>([
    ['the timeline of a task', (reader) => reader.story(busy, { limit: 200 })],
    ['a page of the log', (reader) => reader.entries({}, { limit: 200 })],
    ['a page in the middle', (reader) => reader.entries({}, { limit: 200, after: 2 * BATCHES + 3 })],
    ['a page of one type', (reader) => reader.entries({ type: 'identity.refused' }, { limit: 50 })],
    ['the refused identities', (reader) => reader.refusals({}, { limit: 50 })],
  ])('no partition is read sequentially for %s', async (_, read) => {
    const scans = await scansOf(read);
    expect(scans).not.toEqual([]);
    expect(scans.filter((scan) => scan.startsWith('Seq Scan'))).toEqual([]);
  });

  it('a page of the log reads the partition of its batches alone', async () => {
    const scans = await scansOf((reader) => reader.entries({}, { limit: 200, after: 2 * BATCHES + 3 }));
    expect(scans).toEqual(['Index Scan audit_entry_1']);
  });

  it.each(['force_custom_plan', 'force_generic_plan'])(
    'a round of the sealer reads the partition of its batch alone, and by its index: %s',
    async (mode) => {
      const ROUNDS = 4;
      const client = await pool.connect();
      await client.query(`SET plan_cache_mode = ${mode}`);
      await client.query('DISCARD PLANS; SELECT pg_stat_force_next_flush()');
      const before = await scanCounts();
      for (let round = 0; round < ROUNDS; round += 1) {
        await insertAudit(client, [bareEntry('task.renewed', new Date(round), MAYFLY)]);
        const { rows } = await client.query('SELECT public.seal_audit(2000, clock_timestamp()) AS sealed');
        expect(rows).toEqual([{ sealed: 1 }]);
      }
      await client.query('SELECT pg_stat_force_next_flush()');
      client.release();
      const added = Object.entries(await scanCounts()).map(([name, [sequential, index]]) => [
        name,
        [sequential - before[name]![0], index - before[name]![1]],
      ]);
      expect(Object.fromEntries(added)).toEqual({
        audit_entry_first: [0, 0],
        audit_entry_1: [0, 0],
        // The planner looks up the ends of the index too.
        audit_entry_2: [0, mode === 'force_generic_plan' ? ROUNDS : expect.any(Number)],
        audit_entry_default: [0, 0],
      });
    },
  );

  /** The sequential scans and the index scans of each partition. */
  async function scanCounts(): Promise<Record<string, [number, number]>> {
    const { rows } = await owner.query<{ relname: string; seq: number; index: number }>(
      `SELECT relname, seq_scan::int AS seq, idx_scan::int AS index FROM pg_stat_user_tables
       WHERE relid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'audit_entry'::regclass)`,
    );
    return Object.fromEntries(rows.map(({ relname, seq, index }) => [relname, [seq, index]]));
  }
});
