import type { TrustedIssuer } from '../issuers/issuer-spec.js';
import type { KeySet } from './key-set.js';

/** Port: where the verification keys of an issuer come from. Both methods throw `unavailable` when there are none to trust. */
export interface KeySource {
  /** the keys to try now; cheap when they are fresh */
  current(issuer: TrustedIssuer): Promise<KeySet>;
  /** asked when a token names a key that `current` lacks; the source decides whether it looks again */
  refresh(issuer: TrustedIssuer): Promise<KeySet>;
}

/** Port: the JSON at a URL. Rejects on anything but a 200 with bounded JSON; see `createGuardedFetch`. */
export type FetchJson = (url: string) => Promise<unknown>;
