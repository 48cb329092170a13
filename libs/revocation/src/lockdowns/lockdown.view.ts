import type { Actor } from '@mayfly/audit';
import { addSeconds, type JsonObject } from '@mayfly/kernel';
import type { LockdownScope } from '@mayfly/tasks';
import type { Lockdown, LockdownAct, LockdownReach } from './lockdown.store.js';

/** A request for a release counts this long: what an operator asked for at one incident releases nothing at the next. */
const RELEASE_REQUEST_SECONDS = 24 * 3_600;

/** Returns the instant from which a request for a release counts no longer. */
export function lapsesAt({ at }: LockdownAct): Date {
  return addSeconds(at, RELEASE_REQUEST_SECONDS);
}

/** Returns a lockdown as the API shows it. */
export function lockdownView(lockdown: Lockdown): JsonObject {
  const { id, scope, engaged, releaseRequested, released, progress } = lockdown;
  return {
    ...{ id, scope: scopeView(scope), state: stateOf(lockdown), reason: engaged.reason },
    ...{ engagedAt: engaged.at.toISOString(), engagedBy: personView(engaged.by) },
    releaseRequested: releaseRequested && requestView(releaseRequested),
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

function requestView(act: LockdownAct): JsonObject {
  const { at, by, reason } = act;
  return { at: at.toISOString(), by: personView(by), reason, lapsesAt: lapsesAt(act).toISOString() };
}

function personView(by: Actor): JsonObject {
  return { ...by };
}
