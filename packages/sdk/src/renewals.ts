import { BrokerProblem, isPassing, type Task, type Timer } from '@mayfly/client';
import type { Granted } from './tasks.client.js';

/** Renews after this part of the lifetime: the last third is left for outages. */
const RENEW_AFTER = 2 / 3;
const SHORTEST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 15_000;
/** Tokens end on a whole second, so a credential that ends this close to the last deadline ends with it. */
const SAME_MS = 1_000;

/** Renews a task and delivers its new secrets. */
export type Renew = (task: Task) => Promise<Task>;

/** Renews one task repeatedly, before the first of its credentials ends. */
export class Renewals {
  private task: Task;
  private underWay: Promise<string | undefined> = Promise.resolve(undefined);
  private failures = 0;
  private lastFailure = 'the broker did not move the deadline';
  /** Converts the broker's instants to the local clock, because clocks differ. It errs on the early side. */
  private readonly offsetMs: number;

  constructor(
    private readonly granted: Granted,
    private readonly timer: Timer,
    private readonly renew: Renew,
    private readonly wordsOf: (error: unknown) => string,
  ) {
    this.task = granted.task;
    this.offsetMs = granted.askedAt - Date.parse(granted.task.createdAt);
  }

  /** The end of the task's first credential to end (RFC 3339), as known now. */
  get endsAt(): string {
    const ends = this.task.credentials.flatMap(({ providerExpiresAt }) => providerExpiresAt ?? []);
    return ends.reduce((first, end) => (Date.parse(end) < Date.parse(first) ? end : first), this.task.expiresAt);
  }

  /** Resolves to the reason why renewal stopped, or to undefined when `signal` was aborted. Never rejects. */
  async run(signal: AbortSignal): Promise<string | undefined> {
    const life = this.endsAtMs() - this.granted.askedAt;
    let pause = life * RENEW_AFTER - (this.timer.now() - this.granted.askedAt);
    while (this.endsAtMs() < this.placed(this.task.maxExpiresAt) - SAME_MS) {
      await this.timer.wait(pause, signal);
      if (signal.aborted) return undefined;
      const refusal = await this.renewOnce();
      if (refusal !== undefined) return refusal;
      const left = this.endsAtMs() - this.timer.now();
      if (left <= 0) return this.lastFailure;
      pause = this.failures === 0 ? Math.max(left * RENEW_AFTER, SHORTEST_PAUSE_MS) : pauseAfter(this.failures, left);
    }
    return 'the longest life of the template is reached';
  }

  /** Renews once, after a running renewal. Resolves to the reason when no retry can succeed. Never rejects. */
  renewOnce(): Promise<string | undefined> {
    return (this.underWay = this.underWay.then(() => this.attempt()));
  }

  private async attempt(): Promise<string | undefined> {
    try {
      this.task = await this.renew(this.task);
      this.failures = 0;
      return undefined;
    } catch (error) {
      this.failures += 1;
      this.lastFailure = this.wordsOf(error);
      return mayPass(error) ? undefined : this.lastFailure;
    }
  }

  private endsAtMs(): number {
    return this.placed(this.endsAt);
  }

  private placed(instant: string): number {
    return Date.parse(instant) + this.offsetMs;
  }
}

/** Returns a pause that starts short and grows, but fits several times into the remaining time. */
function pauseAfter(failures: number, leftMs: number): number {
  const growing = SHORTEST_PAUSE_MS * 2 ** Math.min(failures - 1, 4);
  return Math.max(SHORTEST_PAUSE_MS / 4, Math.min(growing, LONGEST_PAUSE_MS, leftMs / 3));
}

/** True when a retry may succeed. 401 counts, because an expired identity token may soon be replaced. */
function mayPass(error: unknown): boolean {
  if (!(error instanceof BrokerProblem)) return true;
  return isPassing(error) || error.status === 401 || error.code === 'quota_exceeded';
}
