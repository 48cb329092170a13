import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createMigratedDatabase, type TestDatabase } from '@mayfly/testing';
import pg from 'pg';
import type { OverdueFilter, OverdueLease, OverduePosition } from '@mayfly/tasks';
import { OverdueReader } from './overdue.reader.js';

const ENDED = 50_000;
const OVERDUE = 100;
const LIVING = 2_000;

/** Makes SQL for rows of one kind: their first number, their count, and their state and instants. */
const kind = (first: number, count: number, state: string, due: string, requested: string, expires: string): string => `
INSERT INTO task (id, state, agent_id, agent_name, runtime, issuer, subject, template_name, template_version, parameters, purpose,
    created_at, expires_at, max_expires_at, live_leases)
SELECT 'tsk_' || lpad(n::text, 26, '0'), 'active', 'agt_1', CASE WHEN n % 10 = 0 THEN 'busy' ELSE 'agent-' || n % 10 END, 'ci', 'ci', 's',
    'template-' || n % 5, 3, '{}', 'answer', '2026-01-01', '2026-01-01', '2026-01-01', 1
FROM generate_series(${String(first)}, ${String(first + count - 1)}) AS n;
INSERT INTO lease (id, task_id, name, provider, connection, revocation, state, agent_name, template_name, scope, scope_digest,
    sealed_handle, created_at, mint_by, expires_at, due_at, revoke_requested_at, attempts, last_error, end_cause)
SELECT 'lse_' || right(id, 26), id, 'db', CASE n % 4 WHEN 0 THEN 'vault' ELSE 'postgres' END, 'connection-' || n % 3, 'immediate', '${state}',
    agent_name, template_name, '{}', 'digest', 'handle', created_at, created_at, ${expires}, ${due}, ${requested}, 2, 'no answer', 'completed'
FROM task, LATERAL (SELECT right(id, 26)::int AS n) AS number WHERE n BETWEEN ${String(first)} AND ${String(first + count - 1)};`;

/** Two leases share each instant. */
const MINUTES_AGO = `now() - (n / 2) * interval '1 minute'`;
const IN_FEBRUARY = `'2026-02-01'::timestamptz + (n / 2) * interval '1 second'`;
const LATER = `now() + interval '1 hour'`;
const FILL = `
${kind(1, ENDED, 'revoked', 'NULL', MINUTES_AGO, MINUTES_AGO)}
${kind(200_000, OVERDUE, 'revoking', LATER, IN_FEBRUARY, LATER)}
${kind(210_000, OVERDUE, 'active', IN_FEBRUARY, 'NULL', LATER)}
${kind(220_000, OVERDUE, 'abandoned', 'NULL', IN_FEBRUARY, LATER)}
${kind(230_000, LIVING, 'active', LATER, 'NULL', LATER)}
ANALYZE task; ANALYZE lease;`;

/** Each case: its name, the filter, and the number of its leases. */
const FILTERS: readonly (readonly [string, OverdueFilter, number])[] = [
  ['no filter', {}, 2 * OVERDUE],
  ['an agent with a long history', { agent: 'busy' }, OVERDUE / 5],
  ['an agent without a lease', { agent: 'nobody' }, 0],
  ['a template', { template: 'template-1' }, (2 * OVERDUE) / 5],
  ['a provider', { provider: 'vault' }, OVERDUE / 2],
  ['a connection', { connection: 'connection-0' }, 67],
  ['two filters', { agent: 'busy', provider: 'vault' }, OVERDUE / 10],
];

let database: TestDatabase;
let pool: pg.Pool;
let reader: OverdueReader;

beforeAll(async () => {
  database = await createMigratedDatabase();
  const owner = new pg.Client({ connectionString: database.adminUrl });
  await owner.connect();
  await owner.query(FILL);
  await owner.end();
  pool = new pg.Pool({ connectionString: database.url, max: 2 });
  reader = new OverdueReader(pool);
}, 180_000);

afterAll(async () => {
  await pool.end();
  await database.drop();
});

type List = 'overdue' | 'abandoned';

async function readAll(list: List, filter: OverdueFilter, limit: number): Promise<OverdueLease[]> {
  const read: OverdueLease[] = [];
  for (let after: OverduePosition | undefined; ;) {
    const page = await reader[list](filter, { limit, after });
    read.push(...page.items);
    if (page.next === undefined) return read;
    after = page.next;
  }
}

describe('the list of overdue leases', () => {
  it('the list of overdue leases tells what is known about the revocation of each', async () => {
    const { items } = await reader.overdue({}, { limit: 1, after: undefined });
    expect(items).toEqual([
      {
        ...{ leaseId: `lse_${'200000'.padStart(26, '0')}`, taskId: `tsk_${'200000'.padStart(26, '0')}` },
        ...{ state: 'revoking', name: 'db', provider: 'vault', connection: 'connection-2', agent: 'busy' },
        ...{ template: { name: 'template-0', version: 3 }, runtime: 'ci', purpose: 'answer', scope: {} },
        ...{ createdAt: expect.any(Date), expiresAt: expect.any(Date), revokeRequestedAt: expect.any(Date) },
        ...{ endCause: 'completed', revocation: 'immediate', attempts: 2, lastError: 'no answer' },
        ...{ overdueSince: items[0]!.revokeRequestedAt, nextTryAt: expect.any(Date) },
      },
    ]);
  });

  it('the list of overdue leases has every overdue lease once, longest overdue first, also when pages split an instant', async () => {
    const found = await readAll('overdue', {}, 7);
    expect(new Set(found.map(({ leaseId }) => leaseId)).size).toBe(2 * OVERDUE);
    const keys = found.map(({ overdueSince, leaseId }) => `${overdueSince.toISOString()} ${leaseId}`);
    expect(keys).toEqual(keys.toSorted());
    expect(new Set(found.map(({ state }) => state))).toEqual(new Set(['revoking', 'active']));
  });

  it('the list of overdue leases counts from the deadline when the end was requested after it', async () => {
    const id = `lse_${'200010'.padStart(26, '0')}`;
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      await client.query(`UPDATE public.lease SET expires_at = '2026-01-05T00:00:00Z' WHERE id = $1`, [id]);
      const page = { limit: 1, after: undefined };
      const [first] = (await new OverdueReader(client as unknown as pg.Pool).overdue({}, page)).items;
      expect(first).toMatchObject({ leaseId: id, overdueSince: new Date('2026-01-05T00:00:00Z') });
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
  });

  it('the list of abandoned leases has every abandoned lease, and no next try', async () => {
    const found = await readAll('abandoned', {}, 30);
    expect(found).toHaveLength(OVERDUE);
    expect(found.every(({ state, nextTryAt }) => state === 'abandoned' && nextTryAt === undefined)).toBe(true);
  });

  it.each(FILTERS)(
    'the list of overdue leases with %s has its leases, and scans no table',
    async (_, filter, count) => {
      expect(await readAll('overdue', filter, 200)).toHaveLength(count);
      for (const plan of await plansOf(filter)) {
        expect(plan).not.toContain('Seq Scan on lease');
        expect(plan).not.toContain('Seq Scan on task');
        // For an agent without a lease the planner takes the index over agents, which has no entry for it.
        if (count > 0) expect(plan).toMatch(/lease_(overdue|abandoned)_idx/);
      }
    },
  );
});

/** The plans of the very statements that the reader sends, for a first page and a later one of both lists. */
async function plansOf(filter: OverdueFilter): Promise<string[]> {
  const plans: string[] = [];
  const explaining = {
    query: async (text: string, values: unknown[]) => {
      const { rows } = await pool.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${text}`, values);
      plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'));
      return { rows: [] };
    },
  };
  const over = new OverdueReader(explaining as unknown as pg.Pool);
  const position = { since: '2026-02-02T03:47:30.000000Z', leaseId: `lse_${'200100'.padStart(26, '0')}` };
  for (const list of ['overdue', 'abandoned'] as const) {
    for (const after of [undefined, position]) await over[list](filter, { limit: 200, after });
  }
  return plans;
}
