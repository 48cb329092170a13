import type { Minted } from '@mayfly/credentials';
import { addSeconds, earliest, type Clock } from '@mayfly/kernel';
import { VaultFailure } from './failures.js';
import { refuseClamped, refuseLate, secondsUntil, type Order } from './lifetime.js';
import type { Server } from './server.js';
import type { VaultHandle } from './vault.schemas.js';

/**
 * Extends token and lease to the deadline. Throws `VaultFailure` when Vault grants less. Checks the token's explicit
 * end itself: for a token made by a role, the server replaces it by the role's at the first renewal (source and
 * behaviour of OpenBao 2.6.2). Only the broker can renew the token: the agent never has it.
 */
export async function renewLease(
  server: Server,
  order: Order,
  handle: VaultHandle,
  clock: Clock,
): Promise<Omit<Minted<VaultHandle>, 'secret'>> {
  const { accessor, leaseId } = handle;
  if (accessor === undefined || leaseId === undefined)
    throw new VaultFailure('refused', { detail: 'a signed credential cannot be renewed; ask for a new task' });
  if (order.expiresAt > new Date(handle.furthest))
    throw new VaultFailure('clamped-lifetime', {
      detail: 'the token of the credential ends earlier, by its explicit maximum TTL; ask for a new task',
    });
  const now = clock.now();
  refuseLate(order, now);
  const seconds = secondsUntil(order.expiresAt, now);
  const token = await server.login.call('write', 'auth/token/renew-accessor', {
    accessor,
    increment: `${String(seconds)}s`,
  });
  refuseClamped(seconds, token.auth?.lease_duration, token.warnings);
  const lease = await server.login.call('write', 'sys/leases/renew', { lease_id: leaseId, increment: seconds });
  refuseClamped(seconds, lease.lease_duration, lease.warnings);
  const ends = Math.min(token.auth?.lease_duration ?? 0, lease.lease_duration ?? 0);
  return { handle, providerExpiresAt: earliest(addSeconds(now, ends), order.expiresAt) };
}
