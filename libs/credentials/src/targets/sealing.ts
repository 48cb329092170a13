import type { LeaseId } from '@mayfly/kernel';

/** Encrypts data at rest and binds it to a context. Only the same context opens it. */
export interface Sealing {
  seal(plain: string, context: string): Buffer;
  open(sealed: Uint8Array, context: string): Buffer;
}

/** A lease with its sealed handle. */
export interface SealedLease {
  readonly id: LeaseId;
  readonly provider: string;
  readonly sealedHandle: Uint8Array;
}
