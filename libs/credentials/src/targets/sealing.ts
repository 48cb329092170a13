import type { LeaseId } from '@mayfly/kernel';

/** Port: encrypts data at rest and binds it to a context, such as `lease:<id>`. `Sealer` in `trust` implements it. */
export interface Sealing {
  /** Encrypts text. Two calls with one text give different bytes. */
  seal(plain: string, context: string): Buffer;
  /**
   * Decrypts. Throws `internal` when the bytes were altered, or were sealed for another context or under a missing
   * key.
   */
  open(sealed: Uint8Array, context: string): Buffer;
}

/** A lease with its sealed handle. */
export interface SealedLease {
  readonly id: LeaseId;
  readonly provider: string;
  readonly sealedHandle: Uint8Array;
}
