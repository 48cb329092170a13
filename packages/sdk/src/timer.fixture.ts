import type { Timer } from '@mayfly/client';

interface Waiter {
  readonly at: number;
  readonly wake: () => void;
}

/** A timer whose time passes only when everything waits: then it jumps to the instant that is waited for next. */
export class VirtualTimer implements Timer {
  private time = 0;
  private waiters: Waiter[] = [];

  now(): number {
    return this.time;
  }

  wait(milliseconds: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const leave = (): void => {
        this.waiters = this.waiters.filter((other) => other !== waiter);
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      const waiter = { at: this.time + Math.max(0, milliseconds), wake: leave };
      this.waiters.push(waiter);
      signal?.addEventListener('abort', leave);
    });
  }

  /** Lets time pass up to an instant, waking who waits on the way in their order. */
  async passUntil(instant: number): Promise<void> {
    for (;;) {
      await settled();
      const [next] = this.waiters.toSorted((left, right) => left.at - right.at);
      if (next === undefined || next.at > instant) break;
      this.time = next.at;
      next.wake();
    }
    this.time = instant;
  }
}

/** Everything that was to run at once has run. */
async function settled(): Promise<void> {
  for (let round = 0; round < 3; round += 1) await new Promise((resolve) => setImmediate(resolve));
}
