import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { MAYFLY } from '@mayfly/audit';
import type { TaskIntent } from '@mayfly/issuance';
import type { LeaseClaim } from '@mayfly/revocation';
import { addSeconds, newId } from '@mayfly/kernel';
import { activationOf, declareFor, type IntentOptions, TaskDatabase, taskIntent } from '@mayfly/testing';
import { PgClosingStore } from './closing.store.js';
import { Database } from '../database/database.js';
import { PgDenyPolicyStore } from './deny-policy.store.js';
import { PgIssuanceStore } from './issuance.store.js';
import { PgTaskStore } from './task.store.js';

const ROLE = 'arn:aws:iam::123456789012:role/crm';

describe('what has to stand at a shared revocation point, on PostgreSQL', () => {
  let scene: TaskDatabase;
  let database: Database;
  let denials: PgDenyPolicyStore;
  let issuance: PgIssuanceStore;
  let closing: PgClosingStore;
  let tasks: PgTaskStore;

  beforeAll(async () => {
    scene = await TaskDatabase.start();
    database = new Database({ url: scene.url, searchPath: scene.searchPath, onConnectionLost: () => undefined });
    denials = new PgDenyPolicyStore(database.pool, scene.clock);
    issuance = new PgIssuanceStore(database.pool);
    closing = new PgClosingStore(database.pool, scene.clock);
    tasks = new PgTaskStore(database.pool);
  });
  afterAll(async () => {
    await database.close();
    await scene.stop();
  });
  beforeEach(() => scene.empty());

  /** A task with one lease at the role that is being minted. */
  async function minting(options: IntentOptions & { readonly revocationPoint?: string } = {}): Promise<TaskIntent> {
    const plain = taskIntent(scene.clock, options);
    const intent = {
      ...plain,
      leases: plain.leases.map((lease) => ({ ...lease, revocationPoint: options.revocationPoint ?? ROLE })),
    };
    await declareFor(scene, intent);
    expect(await issuance.open(intent)).toBe('opened');
    return intent;
  }

  /** A task with one active lease at the role. */
  async function session(options?: Parameters<typeof minting>[0]): Promise<TaskIntent> {
    const intent = await minting(options);
    expect(await issuance.activate(activationOf(intent))).toBe(true);
    return intent;
  }
  const end = ({ task }: TaskIntent, cause: 'completed' | 'expired' = 'completed'): Promise<readonly LeaseClaim[]> =>
    closing.requestEnd({ taskId: task.id, cause, actor: MAYFLY });
  const claim = async () => (await denials.claim(ROLE, 30))!;
  const claimAgain = async () => {
    const again = await claim();
    await denials.release(again);
    return again;
  };
  const leaseIds = (intents: readonly TaskIntent[]) => intents.map(({ leases }) => leases[0]!.id);

  it('the denial store lists every revoked session of the revocation point that has not expired, and no other', async () => {
    const [first, second, living, expired, elsewhere] = [
      await session(),
      await session(),
      await session(),
      await session(),
      await session({ revocationPoint: `${ROLE}-2` }),
    ];
    await end(first);
    const [revoked] = await end(second);
    await closing.record([{ claim: revoked!, state: 'revoked', effectiveAt: scene.clock.now() }]);
    await end(expired, 'expired');
    await end(elsewhere);
    const { sessions, lastExpiresAt } = await claim();
    expect(sessions.map(({ leaseId }) => leaseId)).toEqual(leaseIds([first, second]));
    expect(sessions[0]?.expiresAt).toEqual(first.task.expiresAt);
    expect(lastExpiresAt!.getTime()).toBeGreaterThanOrEqual(living.task.expiresAt.getTime());
  });

  it('the denial store still lists the session of a lease that an operator abandoned', async () => {
    const intent = await session();
    const [claimed] = await end(intent);
    const failed = { claim: claimed!, state: 'revoking', retryAt: scene.clock.now(), error: 'no answer' } as const;
    await closing.record([failed]);
    const { id: leaseId } = intent.leases[0]!;
    await closing.abandon({ leaseId, reason: 'no way in', actor: MAYFLY });
    expect(await scene.leases(intent.task.id)).toMatchObject([{ state: 'abandoned' }]);
    expect((await claim()).sessions.map((one) => one.leaseId)).toEqual([leaseId]);
  });

  it('the denial store lists no session that has expired', async () => {
    await end(await session({ lifetimeSeconds: 60 }));
    await scene.advance(66);
    expect(await claim()).toMatchObject({ sessions: [] });
  });

  it('the denials may be written by one process at a time, and by the next when that one is gone', async () => {
    const first = await claim();
    expect(await denials.claim(ROLE, 30)).toBeUndefined();
    await denials.release(first);
    const second = await claim();
    await scene.advance(31);
    const third = await claim();
    expect(await denials.settle(second, { written: true })).toBe(false);
    expect(await denials.settle(third, { written: true })).toBe(true);
    expect(await claim()).toMatchObject({ revision: 1 });
  });

  it('the denials are claimed by one of many processes at once', async () => {
    const claims = await Promise.all(Array.from({ length: 8 }, () => denials.claim(ROLE, 30)));
    expect(claims.filter((one) => one !== undefined)).toHaveLength(1);
  });

  it('the denial store knows the latest issue of a session: its mint or the request of a renewal', async () => {
    const intent = await session();
    const { id } = intent.leases[0]!;
    const minted = scene.clock.now();
    await scene.advance(100);
    const until = addSeconds(scene.clock.now(), 10);
    expect(await tasks.reissuing(id, until)).toBe(true);
    await end(intent);
    expect((await claim()).sessions).toMatchObject([{ leaseId: id, issuedBy: until }]);
    expect(until.getTime()).toBeGreaterThan(minted.getTime());
  });

  it('the denial store expects the issue of a session that is being minted until its mint deadline, and no later than its activation', async () => {
    const [unfinished, active] = [await minting(), await session()];
    const activated = scene.clock.now();
    await end(unfinished);
    await end(active);
    const { sessions } = await claim();
    expect(sessions[0]?.issuedBy).toEqual(unfinished.leases[0]!.mintBy);
    expect(Math.abs(sessions[1]!.issuedBy.getTime() - activated.getTime())).toBeLessThan(2_000);
  });

  it('a cut-off is in the audit of each affected task, marks their leases for renewal, and is forgotten after it', async () => {
    const [innocent, guilty] = [await session(), await session()];
    await end(guilty);
    const cutOff = { at: scene.clock.now(), until: addSeconds(scene.clock.now(), 600) };
    expect(await denials.settle(await claim(), { written: true, cutOff })).toBe(true);
    const found = await tasks.find(innocent.task.id);
    expect(found?.leases[0]?.renewRequestedAt).toBeInstanceOf(Date);
    expect(await scene.auditTypes(innocent.task.id)).toContain('lease.cut-off');
    expect(await scene.auditTypes(guilty.task.id)).not.toContain('lease.cut-off');
    const [entry] = await scene.query<{ body: string }>(
      `SELECT body FROM public.audit_entry WHERE type = 'target.cut-off'`,
    );
    expect(JSON.parse(entry!.body)).toMatchObject({ target: ROLE, innocent: 1 });
    await tasks.renewedAtProvider(innocent.leases[0]!.id, addSeconds(innocent.task.expiresAt, 0));
    expect((await tasks.find(innocent.task.id))?.leases[0]?.renewRequestedAt).toBeUndefined();
    expect(await claim()).toMatchObject({ cutOff });
  });

  it('the denial store locks the tasks of affected leases before their leases, as an activation does', async () => {
    const innocent = await session();
    const cutOff = { at: scene.clock.now(), until: addSeconds(scene.clock.now(), 600) };
    const held = await claim();
    const client = await database.pool.connect();
    await client.query('BEGIN');
    await client.query('SELECT id FROM public.task WHERE id = $1 FOR UPDATE', [innocent.task.id]);
    let isSettled = false;
    const settled = denials.settle(held, { written: true, cutOff }).finally(() => (isSettled = true));
    await pause(300);
    expect(isSettled).toBe(false);
    const { rows } = await client.query('SELECT id FROM public.lease WHERE task_id = $1 FOR UPDATE SKIP LOCKED', [
      innocent.task.id,
    ]);
    await client.query('COMMIT');
    client.release();
    expect(rows).toHaveLength(1);
    expect(await settled).toBe(true);
  });

  it('the denial store remembers the last write and the last repair', async () => {
    const first = await claim();
    expect([first.writtenSecondsAgo, first.repairedSecondsAgo]).toEqual([undefined, undefined]);
    await denials.settle(first, { written: true, repaired: 'unclear' });
    await scene.advance(10);
    await denials.settle(await claim(), { written: true });
    await scene.advance(5);
    const last = await claim();
    expect(Math.floor(last.writtenSecondsAgo!)).toBe(5);
    expect(Math.floor(last.repairedSecondsAgo!)).toBe(15);
    expect(await scene.query(`SELECT id FROM public.audit_entry WHERE type = 'target.repaired'`)).toEqual([]);
  });

  it('the denial store writes a repair into the audit', async () => {
    await denials.settle(await claim(), { written: true, repaired: 'removed' });
    const [entry] = await scene.query<{ body: string }>(
      `SELECT body FROM public.audit_entry WHERE type = 'target.repaired'`,
    );
    expect(JSON.parse(entry!.body)).toMatchObject({ target: ROLE, found: 'removed' });
  });

  it('the denials are checked every half minute while they matter, through the lease that knows them longest', async () => {
    const intent = await session({ lifetimeSeconds: 300 });
    expect(await denials.due(10)).toEqual([]);
    await denials.settle(await claim(), { written: true });
    expect(await denials.due(10)).toEqual([]);
    await scene.advance(31);
    const [due] = await denials.due(10);
    expect(due).toMatchObject({ revocationPoint: ROLE, lease: { id: intent.leases[0]!.id, provider: 'dummy' } });
    // the check counts as made, whatever its outcome
    expect(await denials.due(10)).toEqual([]);
    await scene.advance(31);
    const taken = await Promise.all([denials.due(10), denials.due(10)]);
    expect(taken.flat()).toHaveLength(1);
    await scene.advance(300 + 600);
    expect(await denials.due(10)).toEqual([]);
  });

  describe('a deny policy that is newer than the database', () => {
    const HALF_A_DAY = 43_200;

    it('a name that no lease explains is kept until every session of it is dead, and is in the audit', async () => {
      const strange = newId('lse');
      const kept = await denials.keep(await claim(), { names: [strange] }, HALF_A_DAY);
      expect(kept?.sessions).toMatchObject([{ leaseId: strange, kept: true, acknowledged: true }]);
      await denials.settle(kept!, { written: true });
      await scene.advance(HALF_A_DAY - 10);
      expect((await claimAgain()).sessions).toMatchObject([{ leaseId: strange }]);
      await scene.advance(20);
      expect((await claimAgain()).sessions).toEqual([]);
      const [entry] = await scene.query<{ body: string }>(
        `SELECT body FROM public.audit_entry WHERE type = 'target.denials-kept'`,
      );
      expect(JSON.parse(entry!.body)).toMatchObject({ target: ROLE, total: 1, names: [strange] });
    });

    it('a name whose lease has expired is not kept, and no entry is written', async () => {
      const expired = await session({ lifetimeSeconds: 60 });
      await end(expired);
      await scene.advance(66);
      const kept = await denials.keep(await claim(), { names: leaseIds([expired]) }, HALF_A_DAY);
      expect(kept?.sessions).toEqual([]);
      expect(await scene.query(`SELECT id FROM public.audit_entry WHERE type = 'target.denials-kept'`)).toEqual([]);
    });

    it('a lease that lives in an older database stays denied as long as the lease, and is listed once after its end', async () => {
      const living = await session();
      const [leaseId] = leaseIds([living]);
      const kept = await denials.keep(await claim(), { names: [leaseId!] }, 1);
      expect(kept?.sessions).toMatchObject([{ leaseId, kept: true, expiresAt: living.task.expiresAt }]);
      await denials.settle(kept!, { written: true });
      await end(living);
      expect((await claimAgain()).sessions).toMatchObject([{ leaseId, kept: false }]);
    });

    it('a later cut-off is adopted with an entry for each affected lease, an earlier one is not', async () => {
      const innocent = await session();
      const cutOff = scene.clock.now();
      const kept = await denials.keep(await claim(), { names: [], cutOff }, HALF_A_DAY);
      expect(kept?.cutOff?.at).toEqual(cutOff);
      expect(kept!.cutOff!.until.getTime()).toBeGreaterThanOrEqual(cutOff.getTime() + HALF_A_DAY * 1000);
      expect(await scene.auditTypes(innocent.task.id)).toContain('lease.cut-off');
      await denials.settle(kept!, { written: true });
      const earlier = { names: [], cutOff: addSeconds(cutOff, -60) };
      expect((await denials.keep(await claim(), earlier, HALF_A_DAY))?.cutOff?.at).toEqual(cutOff);
    });

    it('a claim that lapsed keeps nothing', async () => {
      const first = await claim();
      await scene.advance(31);
      await denials.release(await claim());
      expect(await denials.keep(first, { names: [newId('lse')] }, HALF_A_DAY)).toBeUndefined();
    });
  });
});
