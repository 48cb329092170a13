import type { LeaseId } from '@mayfly/kernel';

/** Seals what must not be read at rest, bound to a context: it opens under the same context only. */
export interface Sealing {
  seal(plain: string, context: string): Buffer;
  open(sealed: Uint8Array, context: string): Buffer;
}

/** A lease whose handle tells what it has at a target. */
export interface SealedLease {
  readonly id: LeaseId;
  readonly provider: string;
  readonly sealedHandle: Uint8Array;
}
