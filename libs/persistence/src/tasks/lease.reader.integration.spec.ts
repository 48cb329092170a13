import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId, type LeaseId } from '@mayfly/kernel';
import { createMigratedDatabase, type TestDatabase } from '@mayfly/testing';
import pg from 'pg';
import { LeaseReader } from './lease.reader.js';

let database: TestDatabase;
let pool: pg.Pool;

beforeAll(async () => {
  database = await createMigratedDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 2 });
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

async function storedLease(lease: { state: string; taskEnd?: string; secondsLeft?: number }): Promise<LeaseId> {
  const [taskId, leaseId] = [newId('tsk'), newId('lse')];
  await pool.query(
    `INSERT INTO task (id, state, agent_id, agent_name, runtime, issuer, subject, template_name, template_version, parameters,
       purpose, created_at, expires_at, max_expires_at, end_cause, live_leases)
     VALUES ($1, 'active', 'agt', 'a', 'ci', 'ci', 's', 't', 1, '{}', 'p', now(), now(), now(), $2, 1)`,
    [taskId, lease.taskEnd ?? null],
  );
  const isClosed = ['revoked', 'expired', 'failed'].includes(lease.state);
  await pool.query(
    `INSERT INTO lease (id, task_id, name, provider, revocation, state, agent_name, template_name, scope, scope_digest,
       sealed_handle, created_at, mint_by, expires_at, due_at)
     VALUES ($1, $2, 'api', 'signed-token', 'propagating', $3, 'a', 't', '{}', '', '', now(), now(),
       now() + $4 * interval '1 second', CASE WHEN NOT $5 THEN now() END)`,
    [leaseId, taskId, lease.state, lease.secondsLeft ?? 60, isClosed],
  );
  return leaseId;
}

describe('a lease', () => {
  it('a lease is live while it is active', async () => {
    expect(await new LeaseReader(pool).isLive(await storedLease({ state: 'active' }))).toBe(true);
  });

  it.each(['minting', 'revoking', 'revoked', 'expired', 'failed'])(
    'a lease is not live while it is %s',
    async (state) => {
      expect(await new LeaseReader(pool).isLive(await storedLease({ state }))).toBe(false);
    },
  );

  it('a lease is not live from the commit that records the end of its task, before any of its own columns changes', async () => {
    const lease = await storedLease({ state: 'active', taskEnd: 'completed' });
    expect(await new LeaseReader(pool).isLive(lease)).toBe(false);
  });

  it('a lease is not live past its deadline, though no worker has looked at it', async () => {
    const lease = await storedLease({ state: 'active', secondsLeft: -1 });
    expect(await new LeaseReader(pool).isLive(lease)).toBe(false);
  });

  it('a missing lease is not live', async () => {
    expect(await new LeaseReader(pool).isLive(newId('lse'))).toBe(false);
  });

  it('a lease is not known to be live when the database does not answer', async () => {
    const nowhere = new pg.Pool({ connectionString: 'postgresql://nobody:nothing@127.0.0.1:1/none' });
    await expect(new LeaseReader(nowhere).isLive(newId('lse'))).rejects.toMatchObject({ code: 'unavailable' });
    await nowhere.end();
  });
});
