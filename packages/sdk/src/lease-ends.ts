import type { Credential, Task } from '@mayfly/client';

/** An end that lies further ahead than this has not come. */
const SOON_MS = 1_000;

/** How each credential of an ended task stands, in a line each. */
export function leaseEnds({ credentials }: Task): string[] {
  return credentials.map((credential) => `${credential.name} (${credential.provider}): ${endOfLease(credential)}`);
}

/** Whether nothing of a task can be used any more, as far as the broker has proof. */
export function isClosed({ credentials }: Task): boolean {
  return credentials.every(({ state }) => ['revoked', 'expired', 'failed', 'abandoned'].includes(state));
}

function endOfLease(credential: Credential): string {
  const { state, revocation, revokeEffectiveAt, expiresAt, lastError } = credential;
  const why = lastError === undefined ? '' : ` (${lastError})`;
  if (state === 'revoking') {
    return `being revoked${revokeEffectiveAt === undefined ? '' : `, refused from ${revokeEffectiveAt} on`}${why}`;
  }
  if (state === 'revoked') return `revoked${refusal(credential)}`;
  return `${state}${revocation === 'expiry-only' ? `, usable until ${expiresAt}` : ''}`;
}

/** When the target began, or begins, to refuse it. */
function refusal({ revokeRequestedAt, revokeEffectiveAt, endedAt }: Credential): string {
  const effective = revokeEffectiveAt ?? endedAt;
  if (effective === undefined || revokeRequestedAt === undefined) return '';
  const took = Date.parse(effective) - Date.parse(revokeRequestedAt);
  if (endedAt !== undefined && Date.parse(effective) - Date.parse(endedAt) > SOON_MS) {
    return `, accepted by who does not ask the broker until ${effective}`;
  }
  return took < 1000
    ? `, refused after ${String(Math.max(0, took))} ms`
    : `, refused after ${(took / 1000).toFixed(1)} s`;
}
