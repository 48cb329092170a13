import { setTimeout as pause } from 'node:timers/promises';

/** Port: a monotonic clock with pauses. */
export interface Timer {
  /** milliseconds on a clock that nobody sets */
  now(): number;
  /** Resolves after the given milliseconds, or at once when the signal is aborted. Never rejects. */
  wait(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

/** The longest delay of a Node timer. */
const LONGEST_MS = 2_147_483_647;

export const systemTimer: Timer = {
  now: () => performance.now(),
  wait: async (milliseconds, signal) => {
    const bounded = Math.min(Math.max(milliseconds, 0), LONGEST_MS);
    await pause(bounded, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  },
};
