import { beforeEach, describe, expect, it } from '@jest/globals';
import type { AnyProvider, Connection, DenialFindings } from '@mayfly/credentials';
import { newId, Problem } from '@mayfly/kernel';
import { DenialComparison } from './denial-comparison.js';

const AWS: Connection = { name: 'aws', spec: { provider: 'aws-sts', owner: 'crm', config: {} } };

describe('the comparison of denials with the database', () => {
  /** the findings at each revocation point */
  let there: Record<string, DenialFindings | undefined | Error>;
  const checked: string[] = [];
  const comparison = new DenialComparison({ leases: { revocationPoints: async () => ['crm', 'old'] } });
  const provider = {
    revocationPointOf: () => undefined,
    revocationPointsIn: () => ['listed', 'crm'],
    maintain: async (_: unknown, point: string) => {
      checked.push(point);
      const findings = there[point];
      if (findings instanceof Error) throw findings;
      return findings;
    },
  } as unknown as AnyProvider;
  const none: DenialFindings = { missing: [], kept: [] };

  beforeEach(() => {
    there = { crm: none, listed: none, old: none };
    checked.length = 0;
  });

  it('every revocation point of the leases and of the configuration is checked once', async () => {
    expect(await comparison.compare(AWS, provider, {})).toEqual([]);
    expect(checked).toEqual(['crm', 'listed', 'old']);
  });

  it('a missing denial is repaired, an unknown one is reported with the instant until which it is kept', async () => {
    const [missing, kept] = [newId('lse'), newId('lse')];
    const at = new Date('2030-01-01T12:00:00Z');
    const strange = 'mayfly-of-old' as typeof kept;
    const sessions = [kept, strange].map((leaseId) => ({ leaseId, issuedBy: at, expiresAt: at, kept: true }));
    there.crm = { missing: [missing], kept: sessions };
    const differences = await comparison.compare(AWS, provider, {});
    expect(differences).toMatchObject([
      { kind: 'missing_denial', action: 'repaired', object: missing, leaseId: missing },
      { kind: 'unknown_denial', action: 'reported', object: kept, leaseId: kept },
      { kind: 'unknown_denial', action: 'reported', object: strange },
    ]);
    expect(differences[1]?.detail).toContain('until 2030-01-01T12:00:00.000Z');
    expect(differences[2]).not.toHaveProperty('leaseId');
  });

  it('a point that cannot be checked is a difference, and the others are checked', async () => {
    there = {
      ...there,
      crm: undefined,
      listed: new Problem('provider_unavailable', 'IAM did not answer'),
      old: new Error(),
    };
    expect(await comparison.compare(AWS, provider, {})).toMatchObject([
      { kind: 'not_compared', object: 'crm', detail: expect.stringContaining('another process') },
      { kind: 'not_compared', object: 'listed', detail: 'IAM did not answer' },
      { kind: 'not_compared', object: 'old', detail: expect.stringContaining('failed unexpectedly') },
    ]);
  });

  it('a provider without shared revocation points has no differences', async () => {
    expect(await comparison.compare(AWS, {} as AnyProvider, {})).toEqual([]);
  });
});
