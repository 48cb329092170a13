import { createHmac, timingSafeEqual } from 'node:crypto';
import type { LeaseId } from '@mayfly/kernel';
import { derive, parseKey, type SealingKeys } from './sealing-key.js';

/** 128 bits: too many to guess, and short enough for the comment of a database role. */
const MARK_BYTES = 16;

/**
 * Makes the marks of objects at targets: HMAC-SHA-256 (RFC 2104) of the lease's id under a key derived from the sealing
 * key. A restored database knows fewer leases than its targets have objects; the sealing key is no part of it, so the
 * marks still prove whose objects they are. Another installation has another sealing key.
 */
export class LeaseMarker {
  private readonly keys: readonly [Buffer, ...Buffer[]];

  /** Throws `internal` when a key is not 32 bytes; the message contains no key. */
  constructor({ current, previous = [] }: SealingKeys) {
    this.keys = [markKey(current), ...previous.map(markKey)];
  }

  markOf(leaseId: LeaseId): string {
    return markUnder(this.keys[0], leaseId).toString('base64url');
  }

  isMarkOf(leaseId: LeaseId, mark: string): boolean {
    const given = Buffer.from(mark, 'base64url');
    if (given.length !== MARK_BYTES || given.toString('base64url') !== mark) return false;
    return this.keys.some((key) => timingSafeEqual(given, markUnder(key, leaseId)));
  }
}

function markKey(text: string): Buffer {
  return derive(parseKey(text), 'mayfly/lease-mark/v1');
}

function markUnder(key: Buffer, leaseId: LeaseId): Buffer {
  return createHmac('sha256', key).update(leaseId).digest().subarray(0, MARK_BYTES);
}
