import type { SealedEntry, StoryEntry } from '@mayfly/audit';
import type { JsonObject } from '@mayfly/kernel';
import type { Issuance } from '@mayfly/tasks';

/** Returns a lease of the history. */
export function issuanceView(issuance: Issuance): JsonObject {
  const { createdAt, expiresAt, providerExpiresAt, revokeRequestedAt, revokeEffectiveAt, endedAt, endCause } = issuance;
  return {
    leaseId: issuance.leaseId,
    taskId: issuance.taskId,
    state: issuance.state,
    name: issuance.name,
    provider: issuance.provider,
    connection: issuance.connection,
    agent: issuance.agent,
    template: { ...issuance.template },
    runtime: issuance.runtime,
    purpose: issuance.purpose,
    scope: issuance.scope,
    createdAt: createdAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
    providerExpiresAt: providerExpiresAt?.toISOString(),
    revokeRequestedAt: revokeRequestedAt?.toISOString(),
    revokeEffectiveAt: revokeEffectiveAt?.toISOString(),
    endedAt: endedAt?.toISOString(),
    confirmedDeadAt: issuance.confirmedDeadAt?.toISOString(),
    cause: endCause,
  };
}

/** Returns an audit entry of a task, with its log and its number there. */
export function storyView({ log, seq, body }: StoryEntry): JsonObject {
  return { log, seq, ...parsed(body) };
}

/** Returns an audit entry with the data to recompute its leaf hash. */
export function sealedView({ log, seq, leafHash, body }: SealedEntry): JsonObject {
  return { log, seq, leafHash: leafHash.toString('base64url'), body: parsed(body), canonical: body };
}

/** Returns a refused identity, or the number of refusals without an entry. */
export function refusalView(body: string): JsonObject {
  const { at, reason, member, issuer, subject, kid, alg, typ, aud, route, requestId, count, from, to } = parsed(body);
  return { at, reason, member, issuer, subject, kid, alg, typ, aud, route, requestId, count, from, to };
}

function parsed(body: string): JsonObject {
  return JSON.parse(body) as JsonObject;
}
