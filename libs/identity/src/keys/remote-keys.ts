import { addSeconds, type Clock } from '@mayfly/kernel';
import { keysUnavailable } from '../identity-refusal.js';
import type { KeySet } from './key-set.js';

/** Seconds that keys are fresh when their publisher names no time. A SPIFFE bundle may ask for less. */
const FRESH_SECONDS = 600;
const LEAST_FRESH_SECONDS = 30;
const UNKNOWN_KEY_COOLDOWN_SECONDS = 30;
/** The longest wait for a fetch while old keys can still serve. */
const PATIENCE_MS = 500;
/** Seconds between attempts to reach an issuer that is down: long while old keys serve, short when there are none. */
const RETRY_SECONDS = { withKeys: 30, withoutKeys: 5 };

/**
 * The document at the issuer's URL names another issuer. This is no outage: the earlier keys must not be used either.
 */
export class IssuerMismatch extends Error {}

/**
 * The published keys of one issuer, kept for ten minutes, or for the time that a SPIFFE bundle names (at least 30 s).
 * Parallel callers share one fetch. When the issuer is down, the last keys serve for `staleSeconds` more; then every
 * call throws `unavailable` (I7).
 */
export class RemoteKeys {
  private keys: KeySet | undefined;
  private fetchedAt: Date | undefined;
  private attemptedAt: Date | undefined;
  private pending: Promise<void> | undefined;
  /** resolves `PATIENCE_MS` after the current fetch began; all waiting callers share it */
  private patience: Promise<void> = Promise.resolve();
  private failure: unknown;

  constructor(
    private readonly load: () => Promise<KeySet>,
    private readonly staleSeconds: number,
    private readonly clock: Clock,
  ) {}

  /**
   * Returns the keys to try. While old keys still serve, waits at most half a second for a fetch: enough to notice a
   * withdrawn key. The fetch then continues in the background, so that a slow issuer delays no caller. Without old keys
   * the caller waits for the fetch.
   */
  async current(): Promise<KeySet> {
    const retrySeconds = this.keys === undefined ? RETRY_SECONDS.withoutKeys : RETRY_SECONDS.withKeys;
    if (!this.isWithin(this.freshSeconds, this.fetchedAt) && !this.isWithin(retrySeconds, this.attemptedAt)) {
      const reloaded = this.reload();
      await (this.isServing() ? Promise.race([reloaded, this.patience]) : reloaded);
    }
    return this.usable();
  }

  /** Fetches the keys again for a token whose key is missing, at most once in 30 seconds however many tokens ask. */
  async refresh(): Promise<KeySet> {
    if (!this.isWithin(UNKNOWN_KEY_COOLDOWN_SECONDS, this.attemptedAt)) await this.reload();
    return this.usable();
  }

  private get freshSeconds(): number {
    const hint = this.keys?.refreshHintSeconds ?? FRESH_SECONDS;
    return Math.min(FRESH_SECONDS, Math.max(LEAST_FRESH_SECONDS, hint));
  }

  private usable(): KeySet {
    if (this.keys === undefined || !this.isServing()) throw keysUnavailable(this.failure);
    return this.keys;
  }

  private isServing(): boolean {
    return this.keys !== undefined && this.isWithin(this.freshSeconds + this.staleSeconds, this.fetchedAt);
  }

  private reload(): Promise<void> {
    if (this.pending === undefined) {
      this.patience = new Promise((resolve) => void setTimeout(resolve, PATIENCE_MS).unref());
      this.pending = this.attempt().finally(() => {
        this.pending = undefined;
      });
    }
    return this.pending;
  }

  private async attempt(): Promise<void> {
    try {
      this.keys = await this.load();
      this.fetchedAt = this.clock.now();
    } catch (error) {
      if (error instanceof IssuerMismatch) this.keys = undefined;
      this.failure = error;
    }
    this.attemptedAt = this.clock.now();
  }

  private isWithin(seconds: number, since: Date | undefined): boolean {
    return since !== undefined && this.clock.now() < addSeconds(since, seconds);
  }
}
