import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { TaskDatabase } from '@mayfly/testing';
import { Outbox, type OutboxJob } from './outbox.js';

describe('Outbox', () => {
  let scene: TaskDatabase;
  let outbox: Outbox;

  beforeAll(async () => {
    scene = await TaskDatabase.start();
    outbox = new Outbox(scene.pool());
  });

  beforeEach(async () => {
    await scene.empty();
    await scene.query(
      `INSERT INTO public.outbox (lease_id, reason, run_at) SELECT 'lse_' || n, 'due', '2030-01-01' FROM generate_series(1, 5) AS n`,
    );
  });

  afterAll(() => scene.stop());

  const left = async () => (await scene.query('SELECT FROM public.outbox')).length;

  it('Outbox hands every job over once, in portions', async () => {
    const delivered: OutboxJob[] = [];
    const deliver = async (jobs: readonly OutboxJob[]) => void delivered.push(...jobs);
    expect(await outbox.pump(deliver, 3)).toBe(3);
    expect(await outbox.pump(deliver, 3)).toBe(2);
    expect(await outbox.pump(deliver, 3)).toBe(0);
    expect(delivered.map(({ leaseId }) => leaseId).sort()).toEqual(['lse_1', 'lse_2', 'lse_3', 'lse_4', 'lse_5']);
    expect(delivered[0]).toEqual({ leaseId: 'lse_1', reason: 'due', runAt: new Date('2030-01-01T00:00:00Z') });
  });

  it('Outbox keeps the jobs that the queue did not take', async () => {
    await expect(outbox.pump(() => Promise.reject(new Error('the queue is down')))).rejects.toThrow('down');
    expect(await left()).toBe(5);
  });

  it('Outbox does not hand a job to two replicas', async () => {
    const seen: string[] = [];
    const both = () => outbox.pump(async (jobs) => void seen.push(...jobs.map(({ leaseId }) => leaseId)), 3);
    await Promise.all([both(), both(), both()]);
    expect(new Set(seen).size).toBe(seen.length);
    expect(await left()).toBe(5 - seen.length);
  });
});
