import type { Json, LeaseId, TaskId } from '@mayfly/kernel';

/**
 * `minting → active → revoking → revoked | expired`; `failed` when it is proven that nothing was minted; `abandoned`
 * when an operator gave up, with a reason. A lease with an unknown mint outcome becomes `revoking`, never `failed`.
 */
export type LeaseState = 'minting' | 'active' | 'revoking' | 'revoked' | 'expired' | 'failed' | 'abandoned';

const NEXT: Readonly<Record<LeaseState, readonly LeaseState[]>> = {
  minting: ['active', 'revoking', 'failed'],
  active: ['revoking'],
  revoking: ['revoked', 'expired', 'abandoned'],
  revoked: [],
  expired: [],
  failed: [],
  abandoned: [],
};

/** True when a lease in state `from` may move to `to`. */
export function canMove(from: LeaseState, to: LeaseState): boolean {
  return NEXT[from].includes(to);
}

/** INVARIANT: I5, a terminal state has no next state. */
export function isTerminal(state: LeaseState): boolean {
  return NEXT[state].length === 0;
}

/**
 * True when an operator may give up on the revocation of a lease: it is `revoking`, and its deadline has passed or a
 * try to revoke it ended without proof.
 */
export function isAbandonable(lease: Pick<Lease, 'state' | 'expiresAt' | 'lastError'>, now: Date): boolean {
  return canMove(lease.state, 'abandoned') && (lease.expiresAt <= now || lease.lastError !== undefined);
}

/** The time-boxed record of one credential. It never holds the credential. */
export interface Lease {
  readonly id: LeaseId;
  readonly taskId: TaskId;
  readonly name: string;
  readonly provider: string;
  readonly connection?: string;
  /** the way in which this credential ends before its expiry (`RevocationClass` of its provider) */
  readonly revocation: 'immediate' | 'propagating' | 'expiry-only';
  /** one sentence: the limits of the revocation of this credential */
  readonly revocationNote?: string;
  /** the revocation point, when the lease shares one (`SharedRevocation.revocationPointOf`) */
  readonly revocationPoint?: string;
  readonly state: LeaseState;
  readonly scope: Json;
  readonly createdAt: Date;
  /** The granted deadline. */
  readonly expiresAt: Date;
  /** The expiry that the provider enforces; absent until it is known. */
  readonly providerExpiresAt?: Date;
  readonly endCause?: string;
  readonly revokeRequestedAt?: Date;
  /** The instant from which the target refuses: the provider's proof, or its acknowledgement plus its window. */
  readonly revokeEffectiveAt?: Date;
  readonly endedAt?: Date;
  /** The instant at which the target refused the credential that Mayfly used after its end (`probe` of the template). */
  readonly confirmedDeadAt?: Date;
  /** A cut-off that was aimed at other sessions disabled this credential; a renewal replaces it. */
  readonly renewRequestedAt?: Date;
  readonly attempts: number;
  readonly lastError?: string;
}
