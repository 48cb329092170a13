import type { LeaseId } from '@mayfly/kernel';

/** A session that a target has to refuse until it expires by itself. */
export interface DeniedSession {
  readonly leaseId: LeaseId;
  /** no session of this lease was issued later */
  readonly issuedBy: Date;
  readonly expiresAt: Date;
}

/** The right to write what stands at a target, with all that has to stand there, as the database has it now. */
export interface DenialClaim {
  readonly target: string;
  /** fences: a claim that lapsed records nothing */
  readonly version: number;
  /** how often the document was written so far */
  readonly revision: number;
  /** since the last write by anybody, by the database's clock; undefined before the first */
  readonly writtenSecondsAgo?: number;
  /** since the document was last put back after somebody else had changed or removed it */
  readonly repairedSecondsAgo?: number;
  /** every session of the target that was revoked and has not expired, oldest first */
  readonly sessions: readonly DeniedSession[];
  /** everything issued before `at` is refused, until `until`, when all of that has expired */
  readonly cutOff?: { readonly at: Date; readonly until: Date };
  /** the latest expiry of anything that lives at the target; undefined when nothing does */
  readonly lastExpiresAt?: Date;
}

/** What was done under a claim. */
export interface DenialWrite {
  /** whether the document was written, or found as it should be */
  readonly written: boolean;
  /** somebody else had changed or removed what stood there; `unclear`: it was not seen, which may be too soon after a write */
  readonly repaired?: 'edited' | 'removed' | 'unclear';
  /** a cut-off that is new with this write */
  readonly cutOff?: { readonly at: Date; readonly until: Date };
}

/** The truth of what providers keep standing at shared targets (`Standing.targetOf`): it is rendered from the leases. */
export interface StandingDenials {
  /** Claims a target for some seconds. Undefined while somebody else holds it. Throws `unavailable`. */
  claim(target: string, seconds: number): Promise<DenialClaim | undefined>;
  /**
   * Records what was done and gives the claim back, with the audit: a repair that is clear, and a cut-off with each innocent lease,
   * which is told to renew. False when the claim had lapsed and nothing was recorded.
   */
  settle(claim: DenialClaim, write: DenialWrite): Promise<boolean>;
  /** Gives the claim back with nothing done. */
  release(claim: DenialClaim): Promise<void>;
}
