import type { CredentialAnswer, TaskAnswer } from '../broker/answers.js';

/** How each credential of an ended task stands, in a line each. */
export function leaseEnds({ credentials }: TaskAnswer): string[] {
  return credentials.map((credential) => `${credential.name} (${credential.provider}): ${endOfLease(credential)}`);
}

/** Whether nothing of a task can be used any more, as far as the broker has proof. */
export function isClosed({ credentials }: TaskAnswer): boolean {
  return credentials.every(({ state }) => ['revoked', 'expired', 'failed', 'abandoned'].includes(state));
}

function endOfLease(credential: CredentialAnswer): string {
  const { state, revocation, revokeEffectiveAt, revokeRequestedAt, endedAt, lastError } = credential;
  const effective = revokeEffectiveAt ?? endedAt;
  const took =
    effective !== undefined && revokeRequestedAt !== undefined
      ? `, refused ${seconds(Date.parse(effective) - Date.parse(revokeRequestedAt))} after it was asked for`
      : '';
  if (state === 'revoked' && revocation !== 'expiry-only') return `revoked${took}`;
  if (state === 'revoking') {
    const until = effective === undefined ? '' : `, refused from ${effective} on`;
    return `being revoked${until}${lastError === undefined ? '' : ` (${lastError})`}`;
  }
  return `${state}${revocation === 'expiry-only' ? `, usable until ${credential.expiresAt}` : ''}`;
}

function seconds(milliseconds: number): string {
  return milliseconds < 1000 ? `${String(Math.max(0, milliseconds))} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}
