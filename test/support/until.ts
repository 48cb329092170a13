import { setTimeout as pause } from 'node:timers/promises';

/**
 * Polls `look` until it returns a value other than undefined or false; throws after `seconds`. Use it to wait for
 * another process. `seconds` is an upper bound, never a measurement.
 */
export async function until<T>(what: string, seconds: number, look: () => Promise<T | undefined | false>): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${String(seconds)} s`);
    await pause(20);
  }
}
