import type { Timer } from './timer.js';
import { BrokerProblem } from './broker-problem.js';
import { BrokerUnreachable } from './broker-unreachable.js';

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 4_000;
const NEVER = new AbortController().signal;

export interface Patience {
  readonly timer: Timer;
  /** time for all attempts, from now */
  readonly forMs: number;
  /** stops the retries; the last error is thrown */
  readonly signal?: AbortSignal;
}

/** True when the same request may soon succeed. Use it only for requests that are safe to repeat. */
export function isPassing(error: unknown): boolean {
  return error instanceof BrokerUnreachable || (error instanceof BrokerProblem && error.isPassing);
}

/** Calls `act` until it succeeds, fails permanently or the patience is used up; then throws the last error. */
export async function retrying<T>(
  { timer, forMs, signal = NEVER }: Patience,
  act: () => Promise<T>,
  mayRetry = isPassing,
): Promise<T> {
  const until = timer.now() + forMs;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    try {
      return await act();
    } catch (error) {
      const wait = Math.max(pause, askedPauseMs(error));
      if (!mayRetry(error) || timer.now() + wait >= until) throw error;
      await timer.wait(wait, signal);
      if (signal.aborted) throw error;
    }
  }
}

/** Returns the pause of the broker's `Retry-After`. */
function askedPauseMs(error: unknown): number {
  return error instanceof BrokerProblem ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
}
