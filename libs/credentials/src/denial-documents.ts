import type { LeaseId } from '@mayfly/kernel';

/** A session that a revocation point has to refuse until it expires by itself. */
export interface DeniedSession {
  readonly leaseId: LeaseId;
  /** no session of this lease was issued later */
  readonly issuedBy: Date;
  readonly expiresAt: Date;
}

/** The right to write the denial document of a revocation point, with all that it has to hold, as the database has it now. */
export interface DenialClaim {
  readonly revocationPoint: string;
  /** fences: a claim that lapsed records nothing */
  readonly version: number;
  /** how often the document was written so far */
  readonly revision: number;
  /** since the last write by anybody, by the database's clock; undefined before the first */
  readonly writtenSecondsAgo?: number;
  /** since the document was last put back after somebody else had changed or removed it */
  readonly repairedSecondsAgo?: number;
  /** every session of the revocation point that was revoked and has not expired, oldest first */
  readonly sessions: readonly DeniedSession[];
  /** everything issued before `at` is refused, until `until`, when all of that has expired */
  readonly cutOff?: { readonly at: Date; readonly until: Date };
  /** the latest expiry of any lease of the revocation point; undefined when nothing does */
  readonly lastExpiresAt?: Date;
}

/** What was done under a claim. */
export interface DenialWrite {
  /** whether the document was written, or found as it should be */
  readonly written: boolean;
  /** somebody else had changed or removed the document; `unclear`: it was not seen, which may be too soon after a write */
  readonly repaired?: 'edited' | 'removed' | 'unclear';
  /** a cut-off that is new with this write */
  readonly cutOff?: { readonly at: Date; readonly until: Date };
}

/**
 * The denial documents of shared revocation points (`SharedRevocation`), rendered from the leases. Its one user is the provider
 * `aws-sts`, whose sessions can be ended by a policy alone.
 */
export interface DenialDocuments {
  /** Claims a revocation point for some seconds. Undefined while somebody else holds it. Throws `unavailable`. */
  claim(revocationPoint: string, seconds: number): Promise<DenialClaim | undefined>;
  /**
   * Records what was done and gives the claim back, with the audit: a repair that is clear, and a cut-off with each innocent lease,
   * which is told to renew. False when the claim had lapsed and nothing was recorded.
   */
  settle(claim: DenialClaim, write: DenialWrite): Promise<boolean>;
  /** Gives the claim back with nothing done. */
  release(claim: DenialClaim): Promise<void>;
}
