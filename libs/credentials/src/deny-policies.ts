import type { LeaseId } from '@mayfly/kernel';

/** A session that a revocation point has to deny until the session expires. */
export interface DeniedSession {
  readonly leaseId: LeaseId;
  /** no session of this lease was issued after this instant */
  readonly issuedBy: Date;
  readonly expiresAt: Date;
  /** the target has acknowledged the denial before */
  readonly acknowledged?: boolean;
  /** the document had the denial, and no ended lease explains it: a kept denial */
  readonly kept?: boolean;
}

/** The content of a document at the target that the database may not know. */
export interface FoundDenials {
  /** the names of the denied sessions */
  readonly names: readonly string[];
  /** the document denies every session issued before this instant */
  readonly cutOff?: Date;
}

/** The differences between a document and the database, found in one check of a revocation point. */
export interface DenialFindings {
  /** the leases whose denial the target had acknowledged, and that the document did not deny; they are denied again */
  readonly missing: readonly LeaseId[];
  /** the denials that no ended lease explains; Mayfly keeps each until its `expiresAt` */
  readonly kept: readonly DeniedSession[];
}

/**
 * The right to write the deny policy of a revocation point, with the current data that the document has to hold.
 */
export interface DenyPolicyClaim {
  readonly revocationPoint: string;
  /** the fence: a claim that lapsed records nothing */
  readonly version: number;
  /** the number of writes so far */
  readonly revision: number;
  /** seconds since the last write by any process, by the database's clock; undefined before the first write */
  readonly writtenSecondsAgo?: number;
  /** seconds since the last repair of the document, `unclear` repairs included; undefined before the first */
  readonly repairedSecondsAgo?: number;
  /** the revoked sessions of the revocation point that have not expired, oldest revocation first */
  readonly sessions: readonly DeniedSession[];
  /** the document denies every session issued before `at`; by `until` all of those sessions have expired */
  readonly cutOff?: { readonly at: Date; readonly until: Date };
  /** the latest expiry of any lease of the revocation point; undefined when all have expired */
  readonly lastExpiresAt?: Date;
}

/** The result of the work under one claim. */
export interface DenyPolicyWrite {
  /** true when the document was written, false when it was correct already */
  readonly written: boolean;
  /**
   * the document was repaired because another writer had edited or removed it; `unclear`: it was missing, perhaps
   * because it was read too soon after a write
   */
  readonly repaired?: 'edited' | 'removed' | 'unclear';
  /** the cut-off that this write added */
  readonly cutOff?: { readonly at: Date; readonly until: Date };
}

/**
 * Port: who may write the deny policy of a shared revocation point (`SharedRevocation`), and the leases to render it
 * from. Only `aws-sts` uses it: AWS has no call that revokes one session, so a policy at the role has to deny it.
 */
export interface DenyPolicies {
  /**
   * Claims a revocation point for some seconds. Resolves to undefined while another process has it. Throws
   * `unavailable`.
   */
  claim(revocationPoint: string, seconds: number): Promise<DenyPolicyClaim | undefined>;
  /**
   * Keeps what the document denies and the claim does not: each name of which the database does not know that its lease
   * has expired, and a later cut-off. Each stays for `seconds`, in which every session that exists now expires. Commits
   * before the document is written, audits it, and returns the claim with the kept denials. Resolves to undefined when
   * the claim had lapsed; nothing is recorded then.
   */
  keep(claim: DenyPolicyClaim, found: FoundDenials, seconds: number): Promise<DenyPolicyClaim | undefined>;
  /**
   * Records the result and releases the claim. Audits new cut-offs and all repairs but `unclear` ones, and marks every
   * lease that a cut-off affects for renewal. Resolves to false when the claim had lapsed; nothing is recorded then.
   */
  settle(claim: DenyPolicyClaim, write: DenyPolicyWrite): Promise<boolean>;
  /** Releases the claim without a result. */
  release(claim: DenyPolicyClaim): Promise<void>;
}
