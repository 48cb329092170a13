import type { TrustedIssuer } from '../issuers/issuer-spec.js';
import type { KeySet } from './key-set.js';

/** Port: where the verification keys of an issuer come from. Both methods throw `unavailable` when there are none to trust. */
export interface KeySource {
  /** the keys to try now; cheap when they are fresh */
  current(issuer: TrustedIssuer): Promise<KeySet>;
  /** asked when a token names a key that `current` lacks; the source decides whether it looks again */
  refresh(issuer: TrustedIssuer): Promise<KeySet>;
}

/** How a server is authenticated; left out: by its name and the authorities of the system. */
export interface ServerTrust {
  /** certificates in PEM, in place of those of the system */
  readonly authorities?: readonly string[];
  /** the server proves this SPIFFE ID to these authorities, in place of the name in the URL */
  readonly spiffeId?: string;
}

/**
 * Port: the JSON at a URL. Rejects on anything but a 200 with bounded JSON, and with `EgressRefused` where the URL may not
 * be fetched; see `createGuardedFetch` of the platform.
 */
export type FetchJson = (url: string, trust?: ServerTrust) => Promise<unknown>;

/** Port: a text file by its absolute path, within the bounds of the service. Throws `Problem`. */
export type ReadFile = (path: string) => Promise<string>;
