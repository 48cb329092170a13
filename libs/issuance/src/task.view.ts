import { decisionOfTask, type JsonObject, type TaskId } from '@mayfly/kernel';
import type { Lease, Task } from '@mayfly/tasks';
import type { Grant, Preview } from './task-issuance.js';
import type { Renewed } from './task-renewal.js';
import type { StoredTask } from './task.store.js';

/** Port: makes task tokens. `trust` implements it. */
export interface TaskTokenMaker {
  /** Returns the token of a task: the same one at each call. */
  tokenOf(taskId: TaskId): string;
}

/** Step 12: returns the answer to a granted request, with the secrets and the task token. */
export function grantView({ plan, minted }: Grant, tokens: TaskTokenMaker): JsonObject {
  return {
    ...taskMembers(plan.task),
    taskToken: { value: tokens.tokenOf(plan.task.id), expiresAt: plan.task.expiresAt.toISOString() },
    lifetime: {
      requestedSeconds: plan.request.ttlSeconds ?? null,
      grantedSeconds: plan.assessment.lifetime.grantedSeconds,
      limitedBy: plan.assessment.lifetime.limitedBy,
    },
    credentials: plan.leases.map(({ id, name, connection, target, traits }, index) => ({
      leaseId: id,
      name,
      provider: target.provider.kind,
      connection,
      state: 'active',
      revocation: traits.revocation,
      revocationNote: traits.revocationNote,
      expiresAt: plan.task.expiresAt.toISOString(),
      providerExpiresAt: minted[index]?.providerExpiresAt.toISOString(),
      facts: minted[index]?.facts,
      secret: minted[index]?.secret,
    })),
  };
}

/** Returns a task without secrets; with `renewed`, its new lifetime and the secrets that were issued again. */
export function taskView(task: StoredTask, renewed?: Renewed): JsonObject {
  return {
    ...taskMembers(task),
    lockdown: task.lockdownId,
    ...(renewed === undefined ? {} : { lifetime: renewed.lifetime }),
    credentials: task.leases.map((lease) => ({ ...leaseMembers(lease), secret: renewed?.secrets.get(lease.id) })),
  };
}

/** Returns a dry run: the verdict of each control and, if permitted, the grant that would follow. */
export function previewView({ decision, permitted }: Preview): JsonObject {
  const wouldBe =
    permitted === undefined
      ? {}
      : {
          template: { name: permitted.template.version.name, version: permitted.template.version.version },
          lifetimeSeconds: permitted.lifetime.grantedSeconds,
          limitedBy: permitted.lifetime.limitedBy,
          credentials: permitted.scopes.map(({ name, provider, scope }) => ({ name, provider, scope })),
        };
  return {
    dryRun: true,
    wouldGrant: decision.permitted,
    ...wouldBe,
    controls: decision.trace.map((verdict) => ({ ...verdict })),
  };
}

function taskMembers(task: Task): JsonObject {
  return {
    id: task.id,
    decisionId: decisionOfTask(task.id),
    state: task.state,
    template: { ...task.template },
    agent: { ...task.agent },
    runtime: task.runtime,
    parameters: task.parameters,
    purpose: task.purpose,
    createdAt: task.createdAt.toISOString(),
    expiresAt: task.expiresAt.toISOString(),
    maxExpiresAt: task.maxExpiresAt.toISOString(),
    parentId: task.origin?.parentId,
    rootId: task.origin?.rootId,
    heartbeatAt: task.heartbeatAt?.toISOString(),
    heartbeatTimeoutSeconds: task.heartbeatTimeoutSeconds,
    endCause: task.endCause,
    endReason: task.endReason,
    endedAt: task.endedAt?.toISOString(),
  };
}

/** Returns the members of a lease. A lease holds no secret. */
function leaseMembers(lease: Lease): JsonObject {
  return {
    leaseId: lease.id,
    name: lease.name,
    provider: lease.provider,
    connection: lease.connection,
    state: lease.state,
    revocation: lease.revocation,
    revocationNote: lease.revocationNote,
    expiresAt: lease.expiresAt.toISOString(),
    providerExpiresAt: lease.providerExpiresAt?.toISOString(),
    endCause: lease.endCause,
    revokeRequestedAt: lease.revokeRequestedAt?.toISOString(),
    revokeEffectiveAt: lease.revokeEffectiveAt?.toISOString(),
    endedAt: lease.endedAt?.toISOString(),
    confirmedDeadAt: lease.confirmedDeadAt?.toISOString(),
    lastError: lease.lastError,
    renewRequestedAt: lease.renewRequestedAt?.toISOString(),
  };
}
