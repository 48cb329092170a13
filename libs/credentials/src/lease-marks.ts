import type { LeaseId } from '@mayfly/kernel';

/**
 * Port: marks on objects at targets. Only an installation with the sealing key can make the mark of a lease, so a mark
 * proves that this installation made the object. `LeaseMarker` in `trust` implements it.
 */
export interface LeaseMarks {
  /** Returns the mark for the object of this lease: 22 characters of base64url. It is no secret. */
  markOf(leaseId: LeaseId): string;
  /** Returns true when this installation made the mark for this lease, under its sealing key or an earlier one. */
  isMarkOf(leaseId: LeaseId, mark: string): boolean;
}
