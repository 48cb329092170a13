import type { Json, LeaseId } from '@mayfly/kernel';
import type { SealedLease, Sealing } from './sealing.js';
import type { DeclaredRelated, Target } from './target.js';
import type { Targets } from './targets.js';

interface Recorded {
  readonly handle: Json;
  /** the connection's declared configuration when the lease was planned; its secrets are references */
  readonly config: Json;
  /** the declared configurations of the other connections that the scope uses */
  readonly related?: DeclaredRelated;
}

/**
 * Seals the provider's handle together with the connection's configuration, bound to the lease. A later change or
 * deletion of the connection affects new leases only: living leases stay revocable (I4).
 */
export function sealHandle(sealing: Sealing, leaseId: LeaseId, target: Target, handle: Json): Buffer {
  const related = target.declaredRelated === undefined ? {} : { related: target.declaredRelated };
  return sealing.seal(JSON.stringify({ handle, config: target.declared, ...related } satisfies Recorded), leaseId);
}

/** Returns the handle of a lease without its target. */
export function handleOf(sealing: Sealing, lease: Pick<SealedLease, 'id' | 'sealedHandle'>): Json {
  return recordedIn(sealing, lease).handle;
}

/** Returns the connection's declared configuration from when the lease was planned; its secrets are references. */
export function configOf(sealing: Sealing, lease: Pick<SealedLease, 'id' | 'sealedHandle'>): Json {
  return recordedIn(sealing, lease).config;
}

/** Returns the handle and the target of a lease from its own row. Throws as `Targets.restore` does. */
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
