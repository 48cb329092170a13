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

export interface KeyRingOptions {
  /** of keys made from now on, by default the usual one of the purpose; keys that exist keep theirs */
  readonly algorithm: SigningAlgorithm;
  /** how long one key signs */
  readonly rotateAfterSeconds: number;
  /** how long a verifier may keep a fetched JWKS (its `Cache-Control: max-age`) */
  readonly cacheSeconds: number;
  /** how often each replica calls `load` or `rotateIfDue` */
  readonly reloadSeconds: number;
  /** the longest life of a token */
  readonly longestTokenSeconds: number;
  /** how far the clock of a verifier may be behind */
  readonly skewSeconds: number;
}

export const KEY_RING_DEFAULTS: Omit<KeyRingOptions, 'algorithm'> = {
  rotateAfterSeconds: 30 * 86_400,
  cacheSeconds: 600,
  reloadSeconds: 60,
  longestTokenSeconds: 3_600,
  skewSeconds: 60,
};

/**
 * The signing keys of this service for one purpose, shared by all replicas through the store. A key is published before it signs, by
 * the time that a verifier may cache the JWKS and one reload of the slowest replica; it stays published after its
 * successor took over until the last token under it is dead. So every token verifies with every JWKS that anyone can hold
 * while the token lives. The first key signs at once: nobody can hold an older JWKS.
 */
export class KeyRing {
  /** the published keys, earliest `activeFrom` first */
  private keys: readonly SigningKey[] = [];
  private loadedAt: Date | undefined;
  readonly options: KeyRingOptions;

  /** Throws `internal` when keys would rotate faster than they can be published, or the algorithm is another purpose's. */
  constructor(
    private readonly store: SigningKeyStore,
    private readonly sealer: Sealer,
    private readonly clock: Clock,
    options: Partial<KeyRingOptions> = {},
  ) {
    this.options = { ...KEY_RING_DEFAULTS, algorithm: usualAlgorithm(store.purpose), ...options };
    if (!fitsPurpose(this.options.algorithm, store.purpose)) {
      throw new Problem('internal', `keys for ${store.purpose} are not for ${this.options.algorithm}; choose another`);
    }
    if (this.options.rotateAfterSeconds <= this.leadSeconds) {
      throw new Problem(
        'internal',
        `signing keys cannot rotate within ${String(this.leadSeconds)} s; rotate less often`,
      );
    }
  }

  /**
   * Reads the keys of all replicas. Throws `unavailable` when the store does not answer and `internal` when a published
   * key does not open; what was loaded before stays in use, until `signer` finds it too old.
   */
  async load(): Promise<void> {
    const at = this.clock.now();
    const rows = await this.store.list();
    this.keys = rows
      .filter((_, index) => this.isPublished(rows, index, at))
      .map((row) => openSigningKey(this.sealer, this.store.purpose, row));
    this.loadedAt = at;
  }

  /** Loads, and adds the next key when it is time. True when this replica added one. Throws as `load` does. */
  async rotateIfDue(): Promise<boolean> {
    await this.load();
    const newest = this.keys.at(-1);
    const { algorithm, rotateAfterSeconds } = this.options;
    const dueAt = newest && addSeconds(newest.activeFrom, rotateAfterSeconds - this.leadSeconds);
    if (dueAt !== undefined && this.clock.now() < dueAt) return false;
    const privateKey = await newPrivateKey(algorithm);
    // Read only now: making the key takes a while, and the time ahead counts from its publication.
    const now = this.clock.now();
    const activeFrom = newest === undefined ? now : addSeconds(now, this.leadSeconds);
    const key = sealSigningKey(this.sealer, this.store.purpose, privateKey, { algorithm, createdAt: now, activeFrom });
    const added = await this.store.add(key, newest?.kid);
    await this.load();
    return added;
  }

  /**
   * The public keys (RFC 7517 §5): those that sign now, soon, or lately. Throws `unavailable` while there is none: a verifier
   * would keep the empty set when the first key signs already.
   */
  jwks(): { readonly keys: readonly PublicSigningJwk[] } {
    const keys = this.published().map((key) => key.publicJwk);
    if (keys.length === 0) throw noKey();
    return { keys };
  }

  /**
   * The key that signs now. Throws `unavailable` where there is none, or where the last `load` is so long ago that another
   * replica's key may have taken over since (I7).
   */
  signer(): SigningKey {
    const now = this.clock.now();
    const fresh = this.loadedAt !== undefined && now < addSeconds(this.loadedAt, this.leadSeconds);
    const key = fresh ? this.keys.findLast(({ activeFrom }) => activeFrom <= now) : undefined;
    if (key === undefined) throw noKey();
    return key;
  }

  /** Throws `internal` where the keys are for another purpose, which only a fault in composition can bring about. */
  mustBeFor(purpose: SigningKeyPurpose): void {
    if (this.store.purpose !== purpose) {
      throw new Problem('internal', `these signing keys are for ${this.store.purpose}, not for ${purpose}`);
    }
  }

  /** The published key of this kid, for verifying. */
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
  return new Problem('unavailable', 'no signing key is ready', { retryAfterSeconds: 5 });
}
