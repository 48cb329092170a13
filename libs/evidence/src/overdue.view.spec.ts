import { describe, expect, it } from '@jest/globals';
import { newId } from '@mayfly/kernel';
import type { OverdueLease } from '@mayfly/tasks';
import { overdueView } from './overdue.view.js';

const AT = new Date('2030-01-01T00:00:00Z');
const leaseId = newId('lse');
const lease: OverdueLease = {
  ...{ leaseId, taskId: newId('tsk'), state: 'revoking', name: 'db', provider: 'postgres', agent: 'support-agent' },
  ...{ template: { name: 'support', version: 2 }, runtime: 'ci', purpose: 'answer', scope: {}, connection: 'crm' },
  ...{ createdAt: AT, expiresAt: AT, revocation: 'immediate', attempts: 1, overdueSince: AT, nextTryAt: AT },
};
const { connection: _, ...unconnected } = lease;
const { nextTryAt: __, ...untried } = lease;

describe('the help of an overdue lease', () => {
  it.each<[string, OverdueLease, string]>([
    ['waits for its first try', lease, 'wait for the next try at 2030-01-01T00:00:00.000Z: no try has failed'],
    [
      'failed at a connection',
      { ...lease, lastError: 'no answer' },
      `wait for the next try at 2030-01-01T00:00:00.000Z, or mend connection \`crm\` as \`lastError\` says, or abandon the lease with a reason: \`POST /leases/${leaseId}/abandon\``,
    ],
    [
      'failed without a connection',
      { ...unconnected, lastError: 'no answer' },
      `wait for the next try at 2030-01-01T00:00:00.000Z, or abandon the lease with a reason: \`POST /leases/${leaseId}/abandon\``,
    ],
    [
      'lives to its expiry',
      { ...lease, revocation: 'expiry-only', lastError: 'lives to its expiry' },
      'wait: the target ends such a credential at its expiry, 2030-01-01T00:00:00.000Z',
    ],
    [
      'is acknowledged',
      { ...lease, lastError: 'on its way', revokeEffectiveAt: AT },
      'wait for the next try at 2030-01-01T00:00:00.000Z: the target says that it refuses the credential from 2030-01-01T00:00:00.000Z on',
    ],
    [
      'is due and unclaimed',
      { ...lease, state: 'active' },
      'check that a worker runs: the lease is due, and no worker has claimed it',
    ],
    [
      'is abandoned',
      { ...untried, state: 'abandoned' },
      'make sure at the target that the credential is gone: Mayfly tries no more, and has no proof',
    ],
  ])('the help of a lease that %s says what to do', (__, item, help) => {
    expect(overdueView(item)).toMatchObject({ help, overdueSince: AT.toISOString() });
  });
});
