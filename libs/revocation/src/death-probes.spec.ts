import { beforeEach, describe, expect, it } from '@jest/globals';
import { MAYFLY } from '@mayfly/audit';
import { addSeconds, Problem } from '@mayfly/kernel';
import { FakeTaskStores, IssuanceService, templateOf } from '@mayfly/testing';
import type { DeathProbeClaim, DeathProbeResult } from './death-probe.store.js';
import { DeathProbes } from './death-probes.js';

const CREDENTIAL = { name: 'api', provider: 'dummy', connection: 'crm', scope: { permissions: ['cases:read'] } };
const PROBED = templateOf({ credentials: [{ ...CREDENTIAL, probe: true }] });

let service: IssuanceService<FakeTaskStores>;
let probes: DeathProbes;
let grant: Awaited<ReturnType<IssuanceService<FakeTaskStores>['issue']>>;
let claim: DeathProbeClaim;
let results: DeathProbeResult[];
let uses: string[];
let told: object[];
beforeEach(async () => {
  [results, uses, told] = [[], [], []];
  service = new IssuanceService(new FakeTaskStores());
  await service.publish(PROBED);
  grant = await service.issue();
  const { id } = grant.plan.leases[0]!;
  const { sealedHandle } = service.stores.scene.leaseRows.get(id)!;
  const [kept] = service.stores.issuance.keptMaterial;
  claim = {
    ...{ id, taskId: grant.plan.task.id, agent: 'support-agent', provider: 'dummy', sealedHandle },
    ...{ sealedMaterial: kept!.sealedMaterial, attempts: 0, accepted: false },
    giveUpAt: addSeconds(service.stores.scene.clock.now(), 3_600),
  };
  probes = new DeathProbes({
    store: { claimDue: async () => [claim], record: async (result) => void results.push(result) },
    ...{ targets: service.targets, sealing: service.sealer, clock: service.stores.scene.clock },
    metrics: { credentialUsed: (provider, outcome) => void uses.push(`${provider} ${outcome}`) },
    tell: (text, facts) => void told.push({ text, ...facts }),
    report: (error) => void told.push({ error }),
  });
});

const end = () =>
  service.ending.end({ taskId: grant.plan.task.id, cause: 'completed', actor: MAYFLY }).then(() => undefined);
const kinds = () => results.map(({ kind }) => kind);

describe('the material of a credential with `probe`', () => {
  it('issuance keeps the material of a credential with `probe`, sealed, before it activates the lease', async () => {
    const { token } = grant.minted[0]!.secret;
    expect(service.stores.issuance.keptMaterial).toHaveLength(1);
    expect(claim.sealedMaterial.toString()).not.toContain(token);
    const opened = service.sealer.open(claim.sealedMaterial, `probe:${claim.id}`).toString();
    expect(JSON.parse(opened)).toEqual({ token });
    expect(() => service.sealer.open(claim.sealedMaterial, claim.id)).toThrow();
  });

  it('issuance keeps no material of a credential without `probe`', async () => {
    await service.publish(templateOf({ credentials: [CREDENTIAL] }));
    await service.issue();
    expect(service.stores.issuance.keptMaterial).toHaveLength(1);
  });

  it('issuance ends what it minted when the material cannot be kept', async () => {
    service.stores.issuance.keepMaterial = () => Promise.reject(new Problem('unavailable', 'the disk is full'));
    await expect(service.issue()).rejects.toMatchObject({ code: 'unavailable' });
    expect(service.dummy.live()).toHaveLength(1);
  });
});

describe('DeathProbes.round', () => {
  it('DeathProbes.round records the instant at which the target refused an ended credential', async () => {
    await end();
    expect(await probes.round(10)).toBe(1);
    expect(results).toEqual([{ claim, kind: 'dead', at: service.stores.scene.clock.now() }]);
    expect([uses, told]).toEqual([['dummy refused'], []]);
  });

  it('DeathProbes.round tells the operator once that a target accepts an ended credential, and goes on', async () => {
    await probes.round(10);
    const at = service.stores.scene.clock.now();
    expect(results).toEqual([{ claim, kind: 'accepted', at, retryAt: addSeconds(at, 1) }]);
    expect(told).toHaveLength(1);
    claim = { ...claim, accepted: true, attempts: 3 };
    await probes.round(10);
    expect(results[1]).toMatchObject({ kind: 'accepted', retryAt: addSeconds(at, 8) });
    expect(told).toHaveLength(1);
    expect(JSON.stringify(told)).not.toContain(grant.minted[0]!.secret.token);
  });

  it('DeathProbes.round takes no failure for a refusal, and tries again with growing pauses of a minute at most', async () => {
    service.dummy.switches.down = true;
    await probes.round(10);
    claim = { ...claim, attempts: 20 };
    await probes.round(10);
    const at = service.stores.scene.clock.now();
    expect(results.map((result) => 'retryAt' in result && result.retryAt)).toEqual([
      addSeconds(at, 1),
      addSeconds(at, 60),
    ]);
    expect(kinds()).toEqual(['unknown', 'unknown']);
  });

  it('DeathProbes.round gives up when the next try would come after its last instant', async () => {
    service.dummy.switches.down = true;
    claim = { ...claim, giveUpAt: service.stores.scene.clock.now() };
    await probes.round(10);
    expect(results).toMatchObject([{ kind: 'given-up', error: 'the dummy target is switched off' }]);
  });

  it('DeathProbes.round shows no text of an unexpected error', async () => {
    service.dummy.use = () => Promise.reject(new Error('password hunter2 refused'));
    await probes.round(10);
    expect(results).toMatchObject([{ kind: 'unknown', error: 'the provider failed unexpectedly; Mayfly tries again' }]);
  });
});
