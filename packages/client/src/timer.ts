import { setTimeout as pause } from 'node:timers/promises';

/** Time that passes. */
export interface Timer {
  /** milliseconds on a clock that is never set */
  now(): number;
  /** Resolves after so many milliseconds, or at once when the signal is aborted. Never rejects. */
  wait(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

/** The longest delay that timers of Node can hold. */
const LONGEST_MS = 2_147_483_647;

export const systemTimer: Timer = {
  now: () => performance.now(),
  wait: async (milliseconds, signal) => {
    const bounded = Math.min(Math.max(milliseconds, 0), LONGEST_MS);
    await pause(bounded, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  },
};
