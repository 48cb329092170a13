import { hash } from 'node:crypto';
import { addSeconds, earliest } from '@mayfly/kernel';
import { LRUCache } from 'lru-cache';
import type { VerifiedIdentity } from './verified-identity.js';

const MAX_ENTRIES = 20_000;
const KEEP_SECONDS = 60;

interface Entry {
  readonly identity: VerifiedIdentity;
  readonly from: Date;
  readonly until: Date;
}

/**
 * Caches proven identities by the SHA-256 of their token, not by the token itself. An entry lives at most 60 seconds
 * and never past the token's `exp`. The withdrawal of a key takes effect when the entry ends.
 */
export class IdentityCache {
  private readonly entries = new LRUCache<string, Entry>({ max: MAX_ENTRIES });

  get(token: string, now: Date): VerifiedIdentity | undefined {
    const entry = this.entries.get(digest(token));
    // Refuses entries from the future: the clock was set back, so their age is unknown.
    return entry !== undefined && now >= entry.from && now < entry.until ? entry.identity : undefined;
  }

  set(token: string, identity: VerifiedIdentity, now: Date): void {
    const until = earliest(addSeconds(now, KEEP_SECONDS), identity.expiresAt);
    this.entries.set(digest(token), { identity, from: now, until });
  }
}

function digest(token: string): string {
  return hash('sha256', token, 'base64url');
}
