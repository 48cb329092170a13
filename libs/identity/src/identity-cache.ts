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
 * Identities already proven, by the SHA-256 of their token (the token itself is not kept), so that a call costs a look-up.
 * An entry serves for at most 60 seconds and never past the token's `exp`; a key withdrawn meanwhile is noticed after that.
 */
export class IdentityCache {
  private readonly entries = new LRUCache<string, Entry>({ max: MAX_ENTRIES });

  get(token: string, now: Date): VerifiedIdentity | undefined {
    const entry = this.entries.get(digest(token));
    // A clock that was set back proves nothing about the time since.
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
