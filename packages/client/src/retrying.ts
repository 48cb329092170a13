import type { Timer } from './timer.js';
import { BrokerProblem } from './broker-problem.js';
import { BrokerUnreachable } from './broker-unreachable.js';

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 4_000;
const NEVER = new AbortController().signal;

export interface Patience {
  readonly timer: Timer;
  /** how long to go on, from now */
  readonly forMs: number;
  /** ends the patience: what failed last is thrown */
  readonly signal?: AbortSignal;
}

/** Whether the same request may do better in a moment. For requests that can be carried out twice without harm. */
export function isPassing(error: unknown): boolean {
  return error instanceof BrokerUnreachable || (error instanceof BrokerProblem && error.isPassing);
}

/** Acts until that succeeds, fails for good, or patience is over; throws what failed last. */
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

/** What the broker asked for in `Retry-After`. */
function askedPauseMs(error: unknown): number {
  return error instanceof BrokerProblem ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
}
