import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MAYFLY } from '@mayfly/audit';
import { bareEntry, createMigratedDatabase, type TestDatabase } from '@mayfly/testing';
import pg from 'pg';
import { insertAudit } from './audit-rows.js';
import { AuditSealer } from './audit-sealer.js';
import { inTransaction } from '../database/transaction.js';

let database: TestDatabase;
let pool: pg.Pool;
let sealer: AuditSealer;

beforeAll(async () => {
  database = await createMigratedDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 12 });
  sealer = new AuditSealer(pool);
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

const entry = (n: number) => bareEntry('task.denied', new Date(n), MAYFLY, {}, { n, purpose: 'größer ≤ 1' });

async function owner(statements: string): Promise<void> {
  const client = new pg.Client({ connectionString: database.adminUrl });
  await client.connect();
  await client.query(statements);
  await client.end();
}

async function sealedSequence(): Promise<{ seq: number; leafHash: string; body: string }[]> {
  const { rows } = await pool.query<{ seq: string; leaf_hash: Buffer; body: string }>(
    `SELECT s.first_seq + e.place AS seq, substring(s.leaf_hashes FROM 32 * e.place + 1 FOR 32) AS leaf_hash, e.body
     FROM public.audit_seal s JOIN public.audit_entry e USING (batch) ORDER BY 1`,
  );
  return rows.map(({ seq, leaf_hash, body }) => ({ seq: Number(seq), leafHash: leaf_hash.toString('hex'), body }));
}

/** Seals in small rounds until a round finds nothing; returns the number of sealed entries. */
async function sealAll(): Promise<number> {
  let sealed = 0;
  for (let more = 1; more > 0; sealed += more) more = await sealer.seal(7);
  return sealed;
}

describe('the sealer', () => {
  it('the sealer gives a gapless sequence to what many writers commit, while several sealers run', async () => {
    const WRITTEN = 8 * 20 * 2;
    let writing = true;
    const written = Promise.all(
      Array.from({ length: 8 }, async (_, writer) => {
        for (let n = 0; n < 25; n += 1) {
          // Transactions of several entries, in which the ids were made before other transactions began.
          const entries = [entry(writer), entry(writer)];
          await inTransaction(pool, async (client) => {
            await insertAudit(client, entries);
            if (n % 5 === 0) throw new RangeError('this one rolls back');
          }).catch((error: unknown) => {
            if (!(error instanceof RangeError)) throw error;
          });
        }
      }),
    ).finally(() => (writing = false));
    const sealing = [1, 2].map(async () => {
      let sealed = 0;
      while (writing) sealed += await sealer.seal(3);
      return sealed;
    });
    const [, ...sealed] = await Promise.all([written, ...sealing]);
    expect(sealed.reduce((sum, count) => sum + count) + (await sealAll())).toBe(WRITTEN);
    const sequence = await sealedSequence();
    expect(sequence.map(({ seq }) => seq)).toEqual(Array.from({ length: WRITTEN }, (_, index) => index + 1));
    expect(new Set(sequence.map(({ body }) => body)).size).toBe(sequence.length);
  });

  it('the sealer seals what is committed while another transaction is open, and seals the entries of that transaction later', async () => {
    const before = (await sealedSequence()).length;
    const slow = new pg.Client({ connectionString: database.url });
    await slow.connect();
    await slow.query('BEGIN');
    const first = entry(1);
    await insertAudit(slow, [first]);
    const second = entry(2);
    await insertAudit(pool, [second]);
    expect(await sealAll()).toBe(1);
    await slow.query('COMMIT');
    await slow.end();
    expect(await sealAll()).toBe(1);
    const bodies = (await sealedSequence()).slice(before).map(({ body }) => body);
    expect(bodies).toEqual([second.body, first.body]);
  });

  it('the sealer seals nothing and does not wait while another one works', async () => {
    await insertAudit(pool, [entry(1)]);
    const [other, waiting] = [new pg.Client(database.url), new pg.Client(database.url)];
    await Promise.all([other.connect(), waiting.connect()]);
    await other.query('BEGIN; SELECT FROM public.audit_log FOR UPDATE');
    await waiting.query(`SET lock_timeout = '1s'`);
    const seal = 'SELECT public.seal_audit(7, clock_timestamp()) AS sealed';
    const answer = await waiting.query(seal).catch((error: unknown) => error);
    await Promise.all([other.end(), waiting.end()]);
    expect(answer).toMatchObject({ rows: [{ sealed: 0 }] });
    expect(await sealAll()).toBe(1);
  });

  it('the sealer keeps the order of the changes of each task, which a lock on the task gives', async () => {
    const TASKS = 5;
    await owner(`CREATE TABLE locked AS SELECT g AS task, 0 AS changes FROM generate_series(0, ${String(TASKS - 1)}) g;
      GRANT SELECT, UPDATE ON locked TO PUBLIC`);
    const before = (await sealedSequence()).length;
    let writing = true;
    const written = Promise.all(
      Array.from({ length: 8 }, async () => {
        for (let n = 0; n < 30; n += 1) {
          await inTransaction(pool, async (client) => {
            const { rows } = await client.query<{ task: number; changes: number }>(
              'UPDATE public.locked SET changes = changes + 1 WHERE task = $1 RETURNING task, changes',
              [n % TASKS],
            );
            const [{ task, changes }] = rows as [{ task: number; changes: number }];
            await insertAudit(client, [bareEntry('task.denied', new Date(0), MAYFLY, {}, { task, changes })]);
          });
        }
      }),
    ).finally(() => (writing = false));
    const sealing = [1, 2].map(async () => {
      while (writing) await sealer.seal(3);
    });
    await Promise.all([written, ...sealing]);
    await sealAll();
    const changes = new Map<number, number[]>();
    for (const { body } of (await sealedSequence()).slice(before)) {
      const facts = JSON.parse(body) as { task: number; changes: number };
      changes.set(facts.task, [...(changes.get(facts.task) ?? []), facts.changes]);
    }
    expect(changes.size).toBe(TASKS);
    for (const order of changes.values()) expect(order).toEqual(order.map((_, index) => index + 1));
  });

  it('the sealer reads as little in an empty round with 20,000 entries as with one', async () => {
    const buffers = async (): Promise<number> => {
      const { rows } = await pool.query<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }>(
        'EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT public.seal_audit(2000, clock_timestamp())',
      );
      const { Plan } = rows[0]!['QUERY PLAN'][0];
      return (Plan['Shared Hit Blocks'] ?? 0) + (Plan['Shared Read Blocks'] ?? 0);
    };
    for (let n = 0; n < 20; n += 1)
      await insertAudit(
        pool,
        Array.from({ length: 1_000 }, (_, index) => entry(index)),
      );
    await sealAll();
    await owner('VACUUM audit_pending');
    await sealer.seal();
    expect(await buffers()).toBeLessThan(20);
  });

  it('the sealer gives each entry the leaf hash of RFC 6962 over its UTF-8 bytes', async () => {
    await insertAudit(pool, [entry(3)]);
    await sealAll();
    for (const { leafHash, body } of await sealedSequence()) {
      expect(leafHash).toBe(createHash('sha256').update(Buffer.of(0)).update(body, 'utf8').digest('hex'));
    }
  });

  it.each(['url', 'adminUrl'] as const)('the sealed log refuses a change or removal as %s', async (role) => {
    const client = new pg.Client({ connectionString: database[role] });
    await client.connect();
    for (const table of ['audit_entry', 'audit_seal']) {
      for (const statement of [`UPDATE ${table} SET batch = 0`, `DELETE FROM ${table}`, `TRUNCATE ${table} CASCADE`]) {
        // insufficient_privilege: from the missing grant for the serving role, from the trigger for the owner
        await expect(client.query(statement)).rejects.toMatchObject({
          code: '42501',
          message: expect.stringMatching(role === 'url' ? /permission denied/ : /its rows are history/),
        });
      }
    }
    await client.end();
  });
});
