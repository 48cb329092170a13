import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type DecisionId, newId } from '@mayfly/kernel';
import { createMigratedDatabase, decisionRecord, type TestDatabase } from '@mayfly/testing';
import pg from 'pg';
import { AuditPartitions } from '../audit/audit-partitions.js';
import { PgDecisionStore } from './decision.store.js';

const RANGE_MS = 2 ** 30;

let database: TestDatabase;
let owner: pg.Client;
let pool: pg.Pool;

beforeAll(async () => {
  database = await createMigratedDatabase();
  owner = new pg.Client({ connectionString: database.adminUrl });
  await owner.connect();
  pool = new pg.Pool({ connectionString: database.url, max: 4 });
});

afterAll(async () => {
  await Promise.all([owner.end(), pool.end()]);
  await database.drop();
});

/** Returns an id that was given at this time. */
function idAt(ms: number): DecisionId {
  const digits = Array.from({ length: 10 }, (_, at) => Math.floor(ms / 32 ** (9 - at)) % 32);
  const time = digits.map((digit) => '0123456789abcdefghjkmnpqrstvwxyz'.charAt(digit)).join('');
  return `dec_${time}${newId('dec').slice(14)}`;
}

async function partitionOf(id: DecisionId): Promise<string | undefined> {
  const { rows } = await owner.query<{ name: string }>(
    'SELECT tableoid::regclass::text AS name FROM decision WHERE id = $1',
    [id],
  );
  return rows[0]?.name;
}

async function partitions(): Promise<readonly object[]> {
  const text = `SELECT inhrelid FROM pg_inherits WHERE inhparent = 'decision'::regclass`;
  return (await owner.query<{ inhrelid: string }>(text)).rows;
}

describe('the partitions of the decisions', () => {
  it('the partitions of the decisions take each id by its time, on both sides of a boundary, and a stray one', async () => {
    const store = new PgDecisionStore(pool);
    const range = Math.floor(Date.now() / RANGE_MS);
    const places: [DecisionId, string][] = [
      [newId('dec'), `decision_${String(range)}`],
      [idAt((range + 1) * RANGE_MS - 1), `decision_${String(range)}`],
      [idAt((range + 1) * RANGE_MS), `decision_${String(range + 1)}`],
      [idAt((range + 3) * RANGE_MS - 1), `decision_${String(range + 2)}`],
      [idAt((range + 3) * RANGE_MS), 'decision_default'],
      [idAt(range * RANGE_MS - 1), 'decision_default'],
    ];
    await store.record(places.map(([id]) => decisionRecord({ id })));
    for (const [id, partition] of places) {
      expect([id, await partitionOf(id)]).toEqual([id, partition]);
      expect(await store.find(id)).toMatchObject({ id });
    }
  });

  it('the partitions of the decisions are made ahead of need, once, by the serving role', async () => {
    const range = Math.floor(Date.now() / RANGE_MS);
    await owner.query(`DROP TABLE decision_${String(range + 2)}`);
    const before = await partitions();
    const replicas = [new AuditPartitions(pool), new AuditPartitions(pool)];
    const made = await Promise.all(replicas.map((one) => one.prepare()));
    expect(made.reduce((sum, one) => sum + one)).toBe(1);
    expect(await partitions()).toHaveLength(before.length + 1);
    expect(await new AuditPartitions(pool).prepare()).toBe(0);
  });

  it('the partitions of the decisions take no write of the serving role by their names', async () => {
    const { rows } = await owner.query<{ name: string; may: boolean }>(
      `SELECT inhrelid::regclass::text AS name, has_table_privilege('mayfly_app', inhrelid, 'INSERT, UPDATE, DELETE, TRUNCATE') AS may
       FROM pg_inherits WHERE inhparent = 'decision'::regclass`,
    );
    expect(rows.length).toBeGreaterThan(3);
    expect(rows.filter(({ may }) => may)).toEqual([]);
    await expect(pool.query(`UPDATE decision SET body = body`)).rejects.toMatchObject({ code: '42501' });
    await expect(owner.query(`DELETE FROM decision`)).rejects.toMatchObject({ code: '42501' });
  });
});
