import { isId, type LeaseId } from '@mayfly/kernel';

/** The id of a lease, or the database role that is named after it, within a longer text such as an ARN. */
const NAMED = /(?<![0-9A-Za-z_])(?:lse_|mayfly[_-])([0-9a-z]{26})(?![0-9A-Za-z_])/;

/**
 * Returns the lease of a credential by the name that the log of its target shows: a database role (`mayfly_…`), the
 * name, the ARN or the `userid` of an AWS session, the `lease` in the metadata of a Vault token or the token's display
 * name (`token-mayfly-…`), the `jti` of a signed token. Returns undefined for a text that names no lease. The lease itself may not exist.
 */
export function leaseSeenAs(name: string): LeaseId | undefined {
  const id = `lse_${NAMED.exec(name)?.[1] ?? ''}`;
  return isId('lse', id) ? id : undefined;
}
