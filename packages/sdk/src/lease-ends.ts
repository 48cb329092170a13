import type { Credential, Task } from '@mayfly/client';

/** An effective instant further ahead than this is still in the future. */
const SOON_MS = 1_000;

/** Returns one line per credential of an ended task, with its state. */
export function leaseEnds({ credentials }: Task): string[] {
  return credentials.map((credential) => `${credential.name} (${credential.provider}): ${endOfLease(credential)}`);
}

/** True when the broker has proof that no credential of the task can be used. */
export function isClosed({ credentials }: Task): boolean {
  return credentials.every(({ state }) => ['revoked', 'expired', 'failed'].includes(state));
}

function endOfLease(credential: Credential): string {
  const { state, revocation, revokeEffectiveAt, expiresAt, lastError } = credential;
  const why = lastError === undefined ? '' : ` (${lastError})`;
  if (state === 'revoking') {
    return `being revoked${revokeEffectiveAt === undefined ? '' : `, refused from ${revokeEffectiveAt} on`}${why}`;
  }
  if (state === 'revoked') return `revoked${refusal(credential)}`;
  if (state === 'abandoned') return `abandoned without proof of its revocation, may be usable until ${expiresAt}${why}`;
  return `${state}${revocation === 'expiry-only' ? `, usable until ${expiresAt}` : ''}`;
}

/** Returns how long after the request, or from which instant, the target refuses the credential. */
function refusal({ revokeRequestedAt, revokeEffectiveAt, endedAt }: Credential): string {
  const effective = revokeEffectiveAt ?? endedAt;
  if (effective === undefined || revokeRequestedAt === undefined) return '';
  const took = Date.parse(effective) - Date.parse(revokeRequestedAt);
  if (endedAt !== undefined && Date.parse(effective) - Date.parse(endedAt) > SOON_MS) {
    return `, accepted until ${effective} by resource servers that do not introspect it`;
  }
  return took < 1000
    ? `, refused after ${String(Math.max(0, took))} ms`
    : `, refused after ${(took / 1000).toFixed(1)} s`;
}
