import type { Actor } from '@mayfly/audit';
import type { JsonObject } from '@mayfly/kernel';
import type { LockdownScope } from '@mayfly/tasks';
import type { Lockdown, LockdownAct, LockdownReach } from './lockdown.store.js';

/** Returns a lockdown as the API shows it. */
export function lockdownView(lockdown: Lockdown): JsonObject {
  const { id, scope, engaged, releaseRequested, released, progress } = lockdown;
  return {
    ...{ id, scope: scopeView(scope), state: stateOf(lockdown), reason: engaged.reason },
    ...{ engagedAt: engaged.at.toISOString(), engagedBy: personView(engaged.by) },
    releaseRequested: releaseRequested && actView(releaseRequested),
    releasedAt: released?.at.toISOString(),
    releasedBy: released && personView(released.by),
    progress: { ...progress, oldestSeconds: progress.oldestSeconds ?? null },
  };
}

/** Returns what a lockdown would end, as a dry run shows it. */
export function reachView(scope: LockdownScope, { tasks, leases, connections }: LockdownReach): JsonObject {
  return {
    ...{ dryRun: true, scope: scopeView(scope), tasks, matched: leases },
    connections: connections.map((connection) => ({ ...connection })),
  };
}

/** `engaging` while the ends of its tasks are being recorded. The lockdown denies in every state but `released`. */
function stateOf({ released, releaseRequested, isEnding }: Lockdown): string {
  if (released !== undefined) return 'released';
  if (releaseRequested !== undefined) return 'release_requested';
  return isEnding ? 'engaging' : 'engaged';
}

function scopeView({ kind, name }: LockdownScope): JsonObject {
  return kind === 'all' ? { kind } : { kind, name };
}

function actView({ at, by, reason }: LockdownAct): JsonObject {
  return { at: at.toISOString(), by: personView(by), reason };
}

function personView(by: Actor): JsonObject {
  return { ...by };
}
