import { describe, expect, it } from '@jest/globals';
import type { Principal } from '@mayfly/identity';
import { newId } from '@mayfly/kernel';
import type { LeaseState } from '@mayfly/tasks';
import type { AbandonRequest, AbandonResult } from './closing.store.js';
import { LeaseAbandonment } from './lease-abandonment.js';

const AT = new Date('2030-01-01T00:00:00Z');
const [leaseId, taskId] = [newId('lse'), newId('tsk')];
const operator = { kind: 'person', identity: { issuer: 'staff', subject: 'olivia' } } as Principal;

function abandonmentOf(result: AbandonResult | undefined) {
  const asked: AbandonRequest[] = [];
  const store = { abandon: async (request: AbandonRequest) => (asked.push(request), result) };
  return { abandonment: new LeaseAbandonment({ store, redact: (text) => text.replace('hunter2', '…') }), asked };
}

describe('LeaseAbandonment', () => {
  it('LeaseAbandonment stores the reason without what looks like a secret, and who gave it', async () => {
    const found = { taskId, state: 'revoking', expiresAt: AT } as const;
    const { abandonment, asked } = abandonmentOf({ found, abandonedAt: AT });
    expect(await abandonment.abandon(operator, leaseId, 'password hunter2 is lost')).toEqual({
      ...{ leaseId, taskId, state: 'abandoned', reason: 'password … is lost' },
      ...{ abandonedAt: AT.toISOString(), expiresAt: AT.toISOString() },
    });
    const actor = { kind: 'person', issuer: 'staff', subject: 'olivia' };
    expect(asked).toEqual([{ leaseId, reason: 'password … is lost', actor }]);
  });

  it.each<[LeaseState, string]>([
    ['minting', 'is `minting`, and only a revoking lease can be abandoned'],
    ['active', 'is `active`, and only a revoking lease can be abandoned'],
    ['revoking', 'is `revoking`, and no try to revoke it has failed'],
    ['revoked', 'is `revoked`, which is final'],
    ['expired', 'is `expired`, which is final'],
    ['failed', 'is `failed`, which is final'],
    ['abandoned', 'is `abandoned` already'],
  ])('LeaseAbandonment refuses a lease that is %s with its state and what to do', async (state, detail) => {
    const { abandonment } = abandonmentOf({ found: { taskId, state, expiresAt: AT } });
    await expect(abandonment.abandon(operator, leaseId, 'gone')).rejects.toMatchObject({
      ...{ code: 'conflict', detail: `lease \`${leaseId}\` ${detail}` },
      extensions: { help: expect.any(String), taskId },
    });
  });

  it('LeaseAbandonment knows no lease of which there is no row', async () => {
    await expect(abandonmentOf(undefined).abandonment.abandon(operator, leaseId, 'gone')).rejects.toMatchObject({
      code: 'not_found',
      detail: `there is no lease \`${leaseId}\``,
    });
  });
});
