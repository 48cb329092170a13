import type { Requester } from './request.js';

/** Port: single-use identity tokens. Ignores the tokens of issuers that allow reuse. */
export interface IdentityUse {
  /**
   * Marks the token as used. Throws `unauthenticated` (reason `replayed`), and audits it, when the token was used
   * before.
   */
  consume(requester: Requester): Promise<void>;
  /** Makes the token usable again after a request that granted nothing. */
  giveBack(requester: Requester): Promise<void>;
}
