import { addSeconds, Problem, type Clock } from '@mayfly/kernel';
import type { SigningAlgorithm } from './jws.js';
import type { Sealer } from './sealer.js';
import type { PublicSigningJwk, SigningKeyPurpose, SigningKeyStore, StoredSigningKey } from './signing-key-store.js';
import {
  fitsPurpose,
  newPrivateKey,
  openSigningKey,
  sealSigningKey,
  usualAlgorithm,
  type SigningKey,
} from './signing-key.js';

/** The times of a key ring, in seconds, and the algorithm of its new keys. */
export interface KeyRingOptions {
  /** the algorithm of new keys, by default the first one of the purpose; existing keys keep theirs */
  readonly algorithm: SigningAlgorithm;
  /** the time for which one key signs */
  readonly rotateAfterSeconds: number;
  /** the time for which a verifier may cache the JWKS (its `Cache-Control: max-age`) */
  readonly cacheSeconds: number;
  /** the interval at which each replica calls `load` or `rotateIfDue` */
  readonly reloadSeconds: number;
  /** the longest lifetime of a token */
  readonly longestTokenSeconds: number;
  /** the largest delay of a verifier's clock */
  readonly skewSeconds: number;
}

/**
 * The times of a key ring when its caller states none: a key signs for 30 days, and tokens live for an hour at most.
 */
export const KEY_RING_DEFAULTS: Omit<KeyRingOptions, 'algorithm'> = {
  rotateAfterSeconds: 30 * 86_400,
  cacheSeconds: 600,
  reloadSeconds: 60,
  longestTokenSeconds: 3_600,
  skewSeconds: 60,
};

/**
 * The signing keys of this service for one purpose; all replicas share them through the store. A new key is published
 * before it signs, for the cache time of the JWKS plus one reload of the slowest replica. After its successor starts to
 * sign, a key stays published until its last token has expired. So every cached JWKS verifies every token during the
 * token's lifetime (OpenID Connect Core §10.1.1). The first key signs at once, since no older JWKS exists.
 */
export class KeyRing {
  /** the published keys, earliest `activeFrom` first */
  private keys: readonly SigningKey[] = [];
  private loadedAt: Date | undefined;
  readonly options: KeyRingOptions;

  /**
   * Throws `internal` when keys rotate faster than they can be published, or when the algorithm belongs to another
   * purpose.
   */
  constructor(
    private readonly store: SigningKeyStore,
    private readonly sealer: Sealer,
    private readonly clock: Clock,
    options: Partial<KeyRingOptions> = {},
  ) {
    this.options = { ...KEY_RING_DEFAULTS, algorithm: usualAlgorithm(store.purpose), ...options };
    if (!fitsPurpose(this.options.algorithm, store.purpose)) {
      throw new Problem(
        'internal',
        `signing keys for ${store.purpose} cannot use ${this.options.algorithm}; use another algorithm`,
      );
    }
    if (this.options.rotateAfterSeconds <= this.leadSeconds) {
      throw new Problem(
        'internal',
        `signing keys cannot rotate within ${String(this.leadSeconds)} s; rotate less often`,
      );
    }
  }

  /**
   * Reads the keys of all replicas. Throws `unavailable` when the store does not answer, and `internal` when a
   * published key cannot be opened. After an error the loaded keys stay in use until `signer` finds them too old.
   */
  async load(): Promise<void> {
    const at = this.clock.now();
    const rows = await this.store.list();
    this.keys = rows
      .filter((_, index) => this.isPublished(rows, index, at))
      .map((row) => openSigningKey(this.sealer, this.store.purpose, row));
    this.loadedAt = at;
  }

  /** Loads the keys, and adds the next key when it is due. True when this replica added one. Throws as `load` does. */
  async rotateIfDue(): Promise<boolean> {
    await this.load();
    const newest = this.keys.at(-1);
    const { algorithm, rotateAfterSeconds } = this.options;
    const dueAt = newest && addSeconds(newest.activeFrom, rotateAfterSeconds - this.leadSeconds);
    if (dueAt !== undefined && this.clock.now() < dueAt) return false;
    const privateKey = await newPrivateKey(algorithm);
    // Reads the clock after the key is made, since that takes time and the lead time counts from publication.
    const now = this.clock.now();
    const activeFrom = newest === undefined ? now : addSeconds(now, this.leadSeconds);
    const key = sealSigningKey(this.sealer, this.store.purpose, privateKey, { algorithm, createdAt: now, activeFrom });
    const added = await this.store.add(key, newest?.kid);
    await this.load();
    return added;
  }

  /**
   * Returns the public keys (RFC 7517 §5): the current one, and those that sign soon or signed recently. Throws
   * `unavailable` without keys: a verifier would cache the empty set after the first key has started to sign.
   */
  jwks(): { readonly keys: readonly PublicSigningJwk[] } {
    const keys = this.published().map((key) => key.publicJwk);
    if (keys.length === 0) throw noKey();
    return { keys };
  }

  /**
   * Returns the key that signs now. Throws `unavailable` when there is none, or when the last `load` is so old that
   * another replica's key may have replaced it (I7).
   */
  signer(): SigningKey {
    const now = this.clock.now();
    const fresh = this.loadedAt !== undefined && now < addSeconds(this.loadedAt, this.leadSeconds);
    const key = fresh ? this.keys.findLast(({ activeFrom }) => activeFrom <= now) : undefined;
    if (key === undefined) throw noKey();
    return key;
  }

  /** Throws `internal` when the keys are for another purpose, which only an error of composition can cause. */
  mustBeFor(purpose: SigningKeyPurpose): void {
    if (this.store.purpose !== purpose) {
      throw new Problem(
        'internal',
        `these signing keys are for ${this.store.purpose}, not for ${purpose}; use the keys of that purpose`,
      );
    }
  }

  /** Returns the published key with this kid, for verification. */
  find(kid: string): SigningKey | undefined {
    return this.published().find((key) => key.kid === kid);
  }

  private get leadSeconds(): number {
    return this.options.cacheSeconds + this.options.reloadSeconds;
  }

  private published(): readonly SigningKey[] {
    const now = this.clock.now();
    return this.keys.filter((_, index) => this.isPublished(this.keys, index, now));
  }

  private isPublished(keys: readonly Pick<StoredSigningKey, 'activeFrom'>[], index: number, at: Date): boolean {
    const successor = keys[index + 1];
    if (successor === undefined) return true;
    const { longestTokenSeconds, skewSeconds } = this.options;
    return at < addSeconds(successor.activeFrom, longestTokenSeconds + skewSeconds);
  }
}

function noKey(): Problem {
  return new Problem('unavailable', 'no signing key is ready; try again later', { retryAfterSeconds: 5 });
}
