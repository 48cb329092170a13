import { addSeconds, type Clock } from '@mayfly/kernel';
import { keysUnavailable } from '../identity-refusal.js';
import type { KeySet } from './key-set.js';

/** How long keys are fresh where their publisher says nothing; a SPIFFE bundle may ask for less. */
const FRESH_SECONDS = 600;
const LEAST_FRESH_SECONDS = 30;
const UNKNOWN_KEY_COOLDOWN_SECONDS = 30;
/** How long a reading is waited for that old keys can stand in for. */
const PATIENCE_MS = 500;
/** An issuer that is down is asked again this often: rarely while old keys still serve, soon when there are none. */
const RETRY_SECONDS = { withKeys: 30, withoutKeys: 5 };

/** The answer of an issuer that is not the one asked for. It is no outage: what it said before is not to be used either. */
export class IssuerMismatch extends Error {}

/**
 * The published keys of one issuer, kept for ten minutes, or for as long as a SPIFFE bundle says (30 s at least). Parallel callers share one fetch. When the issuer is down the
 * last keys serve for `staleSeconds` more, then every call throws `unavailable` (I7).
 */
export class RemoteKeys {
  private keys: KeySet | undefined;
  private fetchedAt: Date | undefined;
  private attemptedAt: Date | undefined;
  private pending: Promise<void> | undefined;
  /** resolves when the reading under way has been waited for long enough, for all callers together */
  private patience: Promise<void> = Promise.resolve();
  private failure: unknown;

  constructor(
    private readonly load: () => Promise<KeySet>,
    private readonly staleSeconds: number,
    private readonly clock: Clock,
  ) {}

  /**
   * The keys to try. While old keys still serve, a reading is waited for half a second, which is enough for an issuer that withdrew a
   * key; it then goes on in the background, so that one that hangs holds nobody up. Without such keys the caller waits for it.
   */
  async current(): Promise<KeySet> {
    const retrySeconds = this.keys === undefined ? RETRY_SECONDS.withoutKeys : RETRY_SECONDS.withKeys;
    if (!this.isWithin(this.freshSeconds, this.fetchedAt) && !this.isWithin(retrySeconds, this.attemptedAt)) {
      const reloaded = this.reload();
      await (this.isServing() ? Promise.race([reloaded, this.patience]) : reloaded);
    }
    return this.usable();
  }

  /** The keys after looking again for one that was missing; at most one look in 30 seconds, however many tokens ask. */
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
