import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { MAYFLY } from '@mayfly/audit';
import type { TaskIntent } from '@mayfly/issuance';
import { addSeconds, type LeaseId } from '@mayfly/kernel';
import type { ClosingResult, DeathProbeClaim } from '@mayfly/revocation';
import { declareFor, TaskDatabase, taskIntent } from '@mayfly/testing';
import type { Pool } from 'pg';
import { requestStoresOn } from '../request-stores.fixture.js';
import { PgDeathProbeStore } from './death-probe.store.js';

const MATERIAL = Buffer.from('sealed material');

let scene: TaskDatabase;
let pool: Pool;
let stores: ReturnType<typeof requestStoresOn>;
let probes: PgDeathProbeStore;
let intent: TaskIntent;
let leaseId: LeaseId;
beforeAll(async () => {
  scene = await TaskDatabase.start();
  pool = scene.pool();
  stores = requestStoresOn(scene, pool);
  probes = new PgDeathProbeStore(pool);
});
beforeEach(async () => {
  await scene.empty();
  intent = taskIntent(scene.clock, { leaseState: 'active' });
  leaseId = intent.leases[0]!.id;
  await declareFor(scene, intent);
  expect(await stores.issuance.open(intent)).toBe('opened');
  await stores.issuance.keepMaterial([{ leaseId, sealedMaterial: MATERIAL }]);
});
afterAll(() => scene.stop());

/** Ends the task and records the proof of the provider. */
async function end(): Promise<void> {
  const claims = await stores.closing.requestEnd({ taskId: intent.task.id, cause: 'completed', actor: MAYFLY });
  const proof = (claim: (typeof claims)[number]): ClosingResult => ({
    ...{ claim, state: 'revoked', effectiveAt: scene.clock.now() },
  });
  await stores.closing.record(claims.map(proof));
}

async function claimed(): Promise<DeathProbeClaim> {
  const claims = await probes.claimDue(10);
  expect(claims).toHaveLength(1);
  return claims[0]!;
}

const row = async () => (await scene.query('SELECT * FROM death_probe'))[0];
const confirmedDeadAt = async () => (await stores.tasks.find(intent.task.id))?.leases[0]?.confirmedDeadAt;
const lastTypes = async () =>
  (await scene.auditTypes(intent.task.id)).filter((type) => /dead|accepted|not-/.test(type));

describe('PgDeathProbeStore', () => {
  it('PgDeathProbeStore hands out no living lease', async () => {
    expect(await probes.claimDue(10)).toEqual([]);
  });

  it('PgDeathProbeStore hands out an ended lease to one worker, with what it kept', async () => {
    await end();
    expect(await claimed()).toMatchObject({
      ...{ id: leaseId, taskId: intent.task.id, sealedMaterial: MATERIAL, attempts: 0, accepted: false },
      sealedHandle: intent.leases[0]!.sealedHandle,
    });
    expect(await probes.claimDue(10)).toEqual([]);
  });

  it('PgDeathProbeStore hands out a lease again when its worker died', async () => {
    await end();
    await claimed();
    await scene.query(`UPDATE death_probe SET claimed_until = now() - interval '1 second'`);
    await claimed();
  });

  it('PgDeathProbeStore hands out a lease that an operator abandoned', async () => {
    await stores.closing.requestEnd({ taskId: intent.task.id, cause: 'completed', actor: MAYFLY });
    await scene.query(`UPDATE lease SET last_error = 'no answer'`);
    await stores.closing.abandon({ leaseId, reason: 'the server is gone', actor: MAYFLY });
    await claimed();
  });

  it('PgDeathProbeStore wipes the material and shows the instant when the target refused the credential', async () => {
    await end();
    const claim = await claimed();
    const at = scene.clock.now();
    await probes.record({ claim, kind: 'dead', at });
    expect(await row()).toMatchObject({ sealed_material: null, next_at: null, attempts: 1 });
    expect(await confirmedDeadAt()).toEqual(at);
    expect(await lastTypes()).toEqual(['lease.confirmed-dead']);
    // the late result of a worker that was frozen
    await probes.record({ claim, kind: 'unknown', error: 'no answer', retryAt: at });
    await probes.record({ claim, kind: 'dead', at: addSeconds(at, 9) });
    expect(await confirmedDeadAt()).toEqual(at);
    expect(await lastTypes()).toEqual(['lease.confirmed-dead']);
    expect(await probes.claimDue(10)).toEqual([]);
  });

  it('PgDeathProbeStore audits the first acceptance of an ended credential alone, and tries again', async () => {
    await end();
    const at = scene.clock.now();
    await probes.record({ claim: await claimed(), kind: 'accepted', at, retryAt: at });
    const again = await claimed();
    expect(again).toMatchObject({ accepted: true, attempts: 1 });
    await probes.record({ claim: again, kind: 'accepted', at, retryAt: addSeconds(at, 60) });
    expect(await lastTypes()).toEqual(['lease.still-accepted']);
    expect(await probes.claimDue(10)).toEqual([]);
    expect(await confirmedDeadAt()).toBeUndefined();
  });

  it('PgDeathProbeStore wipes the material when Mayfly gives up, and says so', async () => {
    await end();
    await probes.record({ claim: await claimed(), kind: 'given-up', at: scene.clock.now(), error: 'no answer' });
    expect(await row()).toMatchObject({ sealed_material: null, next_at: null, last_error: 'no answer' });
    expect(await lastTypes()).toEqual(['lease.not-confirmed']);
    expect(await confirmedDeadAt()).toBeUndefined();
  });

  it('PgDeathProbeStore stops to try an hour after the end', async () => {
    await end();
    const { giveUpAt } = await claimed();
    expect((giveUpAt.getTime() - scene.clock.now().getTime()) / 3_600_000).toBeCloseTo(1, 2);
  });
});
