import type { Timer } from '@mayfly/client';

interface Waiter {
  readonly at: number;
  readonly wake: () => void;
}

/** A fake timer. Its time jumps to the next awaited instant once every task waits. */
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

  /** Advances the time to an instant and wakes waiters in order of their instants. */
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

/** Resolves after all pending callbacks have run. */
async function settled(): Promise<void> {
  for (let round = 0; round < 3; round += 1) await new Promise((resolve) => setImmediate(resolve));
}
