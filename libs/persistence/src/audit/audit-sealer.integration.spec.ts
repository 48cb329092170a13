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

async function sealedSequence(): Promise<{ seq: number; leafHash: string; body: string }[]> {
  const { rows } = await pool.query<{ seq: string; leaf_hash: Buffer; body: string }>(
    'SELECT s.seq, s.leaf_hash, e.body FROM public.audit_seal s JOIN public.audit_entry e ON e.id = s.entry_id ORDER BY s.seq',
  );
  return rows.map(({ seq, leaf_hash, body }) => ({ seq: Number(seq), leafHash: leaf_hash.toString('hex'), body }));
}

/** Seals until so many more entries have their place; other transactions of the server may hold it up for a moment. */
async function sealMore(count: number): Promise<void> {
  let sealed = 0;
  for (let round = 0; sealed < count && round < 2_000; round += 1) sealed += await sealer.seal(7);
  expect(sealed).toBe(count);
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
    await sealMore(WRITTEN - sealed.reduce((sum, count) => sum + count));
    const sequence = await sealedSequence();
    expect(sequence.map(({ seq }) => seq)).toEqual(Array.from({ length: WRITTEN }, (_, index) => index + 1));
    expect(new Set(sequence.map(({ body }) => body)).size).toBe(sequence.length);
  });

  it('the sealer waits for a transaction that is still open, so that no entry appears behind one that has its place', async () => {
    const before = (await sealedSequence()).length;
    const slow = new pg.Client({ connectionString: database.url });
    await slow.connect();
    await slow.query('BEGIN');
    const first = entry(1);
    await insertAudit(slow, [first]);
    const second = entry(2);
    await insertAudit(pool, [second]);
    const sealedMeanwhile = await sealer.seal();
    await slow.query('COMMIT');
    await slow.end();
    expect(sealedMeanwhile).toBe(0);
    await sealMore(2);
    const bodies = (await sealedSequence()).slice(before).map(({ body }) => body);
    expect(bodies).toEqual([first.body, second.body]);
  });

  it('the sealer gives each entry the leaf hash of RFC 6962 over its UTF-8 bytes', async () => {
    await insertAudit(pool, [entry(3)]);
    await sealMore(1);
    for (const { leafHash, body } of await sealedSequence()) {
      expect(leafHash).toBe(createHash('sha256').update(Buffer.of(0)).update(body, 'utf8').digest('hex'));
    }
  });

  it.each(['url', 'adminUrl'] as const)('the sealed log refuses a change or removal as %s', async (role) => {
    const client = new pg.Client({ connectionString: database[role] });
    await client.connect();
    for (const table of ['audit_entry', 'audit_seal']) {
      for (const statement of [`UPDATE ${table} SET xid = 0`, `DELETE FROM ${table}`, `TRUNCATE ${table} CASCADE`]) {
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
