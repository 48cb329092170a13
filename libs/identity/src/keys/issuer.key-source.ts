import { canonicalJson, type Clock, type ClockReading } from '@mayfly/kernel';
import { LRUCache } from 'lru-cache';
import type { IssuerSpec, TrustedIssuer } from '../issuers/issuer-spec.js';
import { KeyLoader, type KeyAccess, type LoadStep } from './key-loader.js';
import { KeySet } from './key-set.js';
import type { KeySource } from './key-source.js';
import { RemoteKeys } from './remote-keys.js';

const MAX_REMOTE_SETS = 1000;

interface Remote {
  readonly loader: KeyLoader;
  readonly keys: RemoteKeys;
}

/**
 * Reads keys as the issuer's document says: pinned, at a URL, or by discovery. Fetched keys survive a change of other
 * issuers.
 */
export class IssuerKeySource implements KeySource {
  private readonly pinned = new WeakMap<IssuerSpec, KeySet>();
  private readonly remote = new LRUCache<string, Remote>({ max: MAX_REMOTE_SETS });
  private readonly clocks = new LRUCache<string, ClockReading>({ max: MAX_REMOTE_SETS });

  constructor(
    private readonly access: KeyAccess,
    private readonly clock: Clock,
  ) {}

  async current({ spec }: TrustedIssuer): Promise<KeySet> {
    return spec.keys.jwks === undefined ? this.remoteOf(spec).keys.current() : this.pinnedKeys(spec);
  }

  async refresh({ spec }: TrustedIssuer): Promise<KeySet> {
    return spec.keys.jwks === undefined ? this.remoteOf(spec).keys.refresh() : this.pinnedKeys(spec);
  }

  /**
   * Returns the keys that the issuer publishes now, for a test of the issuer. Does not change the keys that serve
   * callers. Calls `onStep` before each step. Throws the error of the step: `EgressRefused`, or `Error` with a text
   * that may be shown.
   */
  async fetchNow({ spec }: TrustedIssuer, onStep: (step: LoadStep) => void): Promise<KeySet> {
    if (spec.keys.jwks === undefined) return this.remoteOf(spec).loader.load(onStep);
    onStep('read the keys');
    return KeySet.read(spec.keys.jwks, spec.profile);
  }

  /** Returns the clock of an issuer minus Mayfly's, as the last fetch of its keys read it; undefined before. */
  clockOf({ spec }: Pick<TrustedIssuer, 'spec'>): ClockReading | undefined {
    return this.clocks.get(spec.issuer);
  }

  /** Returns the offset of each issuer whose keys this process has fetched, in seconds, by the URL of the issuer. */
  clockOffsets(): ReadonlyMap<string, number> {
    return new Map([...this.clocks].map(([issuer, { offsetSeconds }]) => [issuer, offsetSeconds]));
  }

  private pinnedKeys(spec: IssuerSpec): KeySet {
    const known = this.pinned.get(spec);
    if (known !== undefined) return known;
    const keys = KeySet.read(spec.keys.jwks, spec.profile);
    this.pinned.set(spec, keys);
    return keys;
  }

  private remoteOf(spec: IssuerSpec): Remote {
    const { issuer, profile, keys, caFile, staleKeysSeconds } = spec;
    const id = canonicalJson([issuer, profile, JSON.stringify(keys), caFile ?? null, staleKeysSeconds]);
    const known = this.remote.get(id);
    if (known !== undefined) return known;
    const loader = new KeyLoader(spec, this.access, this.clock, (reading) => void this.clocks.set(issuer, reading));
    const remote = { loader, keys: new RemoteKeys(() => loader.load(), staleKeysSeconds, this.clock) };
    this.remote.set(id, remote);
    return remote;
  }
}
