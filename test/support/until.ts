import { setTimeout as pause } from 'node:timers/promises';

/**
 * Looks again and again until `look` gives something other than undefined or false; throws after `seconds`. For what another
 * process does in its own time; a bound, never a measure.
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
