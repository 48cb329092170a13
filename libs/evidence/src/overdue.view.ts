import type { JsonObject } from '@mayfly/kernel';
import type { OverdueLease } from '@mayfly/tasks';
import { issuanceView } from './history.view.js';

/** Returns an overdue lease, with what somebody can do about it. */
export function overdueView(lease: OverdueLease): JsonObject {
  return {
    ...issuanceView(lease),
    revocation: lease.revocation,
    attempts: lease.attempts,
    lastError: lease.lastError,
    nextTryAt: lease.nextTryAt?.toISOString(),
    overdueSince: lease.overdueSince.toISOString(),
    help: helpFor(lease),
  };
}

function helpFor(lease: OverdueLease): string {
  const { state, revocation, connection, lastError, expiresAt, leaseId, nextTryAt, revokeEffectiveAt } = lease;
  const expiry = expiresAt.toISOString();
  const wait = nextTryAt === undefined ? 'wait' : `wait for the next try at ${nextTryAt.toISOString()}`;
  if (state === 'abandoned')
    return `make sure at the target that the credential is gone: Mayfly tries no more, and has no proof`;
  if (state !== 'revoking') return 'check that a worker runs: the lease is due, and no worker has claimed it';
  if (revocation === 'expiry-only') return `wait: the target ends such a credential at its expiry, ${expiry}`;
  if (revokeEffectiveAt !== undefined)
    return `${wait}: the target says that it refuses the credential from ${revokeEffectiveAt.toISOString()} on`;
  if (lastError === undefined) return `${wait}: no try has failed`;
  const mend = connection === undefined ? '' : `, or mend connection \`${connection}\` as \`lastError\` says`;
  return `${wait}${mend}, or abandon the lease with a reason: \`POST /leases/${leaseId}/abandon\``;
}
