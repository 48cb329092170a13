import type { RevocationOutcome } from '@mayfly/credentials';

/** The pause between two calls to a target at which Mayfly cannot log in. */
const PAUSE_MS = 1_000;

type Unreached = Extract<RevocationOutcome, { kind: 'unknown' }>;

interface Outage {
  readonly outcome: Unreached;
  /** the instant of the next call, on the monotonic clock in milliseconds */
  nextAt: number;
  /** the one call under way */
  calling?: Promise<RevocationOutcome> | undefined;
}

/**
 * Bounds the calls to targets at which Mayfly cannot log in (`unreached`): one call a second for each target, however
 * many leases are due there. The leases that are not tried get the outcome of the last call, which proves nothing. The
 * first call that reaches the target ends the outage.
 */
export class TargetOutages {
  private readonly outages = new Map<string, Outage>();

  /** `now` is a monotonic clock in milliseconds. */
  constructor(private readonly now: () => number) {}

  /**
   * Calls the target, or returns the outcome of its last call. `target` is one key for everything that is reached with
   * one login, so that an outage delays no lease of another target. Rejects when its call rejects.
   */
  async ask(target: string, call: () => Promise<RevocationOutcome>): Promise<RevocationOutcome> {
    const outage = this.outages.get(target);
    if (outage === undefined) return this.noted(target, call());
    if (outage.calling !== undefined) {
      const outcome = await outage.calling;
      return isUnreached(outcome) ? outcome : this.noted(target, call());
    }
    if (this.now() < outage.nextAt) return outage.outcome;
    outage.calling = this.noted(target, call()).finally(() => {
      [outage.calling, outage.nextAt] = [undefined, this.now() + PAUSE_MS];
    });
    return outage.calling;
  }

  private async noted(target: string, calling: Promise<RevocationOutcome>): Promise<RevocationOutcome> {
    const outcome = await calling;
    if (isUnreached(outcome)) this.outages.set(target, { outcome, nextAt: this.now() + PAUSE_MS });
    else this.outages.delete(target);
    return outcome;
  }
}

function isUnreached(outcome: RevocationOutcome): outcome is Unreached {
  return outcome.kind === 'unknown' && outcome.unreached === true;
}
