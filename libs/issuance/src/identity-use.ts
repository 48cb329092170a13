import type { Requester } from './request.js';

/** Port: the identity tokens of issuers whose tokens open one task each. Does nothing for the tokens of other issuers. */
export interface IdentityUse {
  /** Uses up the token. Throws `unauthenticated` (reason `replayed`), which is in the audit, for one that was used up. */
  consume(requester: Requester): Promise<void>;
  /** Makes the token usable again: nothing came of the request that used it up. */
  giveBack(requester: Requester): Promise<void>;
}
