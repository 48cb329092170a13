import type { TrustedIssuer } from '../issuers/issuer-spec.js';
import type { KeySet } from './key-set.js';

/** Port: the verification keys of an issuer. Both methods throw `unavailable` when there are no trusted keys. */
export interface KeySource {
  /** Returns the keys to try now; cheap while they are fresh. */
  current(issuer: TrustedIssuer): Promise<KeySet>;
  /** Called when a token names a key that `current` lacks. The source decides whether it fetches again. */
  refresh(issuer: TrustedIssuer): Promise<KeySet>;
}

/** The authentication of a server. Default: by its host name and the system's authorities. */
export interface ServerTrust {
  /** certificates in PEM, instead of the system's */
  readonly authorities?: readonly string[];
  /** the SPIFFE ID that the server proves under these authorities, instead of its host name */
  readonly spiffeId?: string;
}

/** Called with the time that a server states in its answer: its `Date` and, from a cache, its `Age` (RFC 9111 §5.1). */
export type OnDate = (stated: Date) => void;

/**
 * Port: fetches the JSON at a URL. Rejects on anything but a 200 with bounded JSON, and with `EgressRefused` when the
 * guard refuses the URL. Calls `onDate` before the body is read. See `createGuardedFetch` in `libs/fetch`.
 */
export type FetchJson = (url: string, trust?: ServerTrust, onDate?: OnDate) => Promise<unknown>;

/** Port: reads a text file by its absolute path, within the service's limits. Throws `Problem`. */
export type ReadFile = (path: string) => Promise<string>;
