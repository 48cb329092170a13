import type { Json, LeaseId } from '@mayfly/kernel';
import type { SealedLease, Sealing } from './sealing.js';
import type { DeclaredRelated, Target } from './target.js';
import type { Targets } from './targets.js';

interface Recorded {
  readonly handle: Json;
  /** the connection's configuration as it was declared when the lease was planned; its secrets are references */
  readonly config: Json;
  /** the same of the other connections that the scope works with */
  readonly related?: DeclaredRelated;
}

/**
 * What revocation needs, sealed for its lease: the provider's handle, and where it is of use. A connection that is
 * changed or deleted later leads new leases elsewhere and takes nothing from those that live (I4).
 */
export function sealHandle(sealing: Sealing, leaseId: LeaseId, target: Target, handle: Json): Buffer {
  const related = target.declaredRelated === undefined ? {} : { related: target.declaredRelated };
  return sealing.seal(JSON.stringify({ handle, config: target.declared, ...related } satisfies Recorded), leaseId);
}

/** The handle of a lease alone. */
export function handleOf(sealing: Sealing, lease: Pick<SealedLease, 'id' | 'sealedHandle'>): Json {
  return recordedIn(sealing, lease).handle;
}

/** The handle and the target of a lease, from its own row. Throws as `Targets.restore` does. */
export async function openHandle(
  sealing: Sealing,
  targets: Targets,
  lease: SealedLease,
): Promise<{ readonly handle: Json; readonly target: Target }> {
  const recorded = recordedIn(sealing, lease);
  return { handle: recorded.handle, target: await targets.restore(lease.provider, recorded.config, recorded.related) };
}

function recordedIn(sealing: Sealing, { id, sealedHandle }: Pick<SealedLease, 'id' | 'sealedHandle'>): Recorded {
  return JSON.parse(sealing.open(sealedHandle, id).toString('utf8')) as Recorded;
}
