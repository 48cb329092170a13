import { describe, expect, it } from '@jest/globals';
import { BrokerProblem } from './broker-problem.js';
import { BrokerUnreachable } from './broker-unreachable.js';
import { retrying } from './retrying.js';
import type { Timer } from './timer.js';

/** A timer whose waits end at once and move its clock. */
function hasty() {
  const waits: number[] = [];
  const now = () => waits.reduce((sum, one) => sum + one, 0);
  const timer: Timer = { now, wait: async (milliseconds) => void waits.push(milliseconds) };
  return { timer, waits };
}

/** Fails with these errors, one after the other, and works then. */
function failing(...errors: readonly Error[]) {
  const left = [...errors];
  return async () => {
    const error = left.shift();
    if (error !== undefined) throw error;
    return 'done';
  };
}

const away = new BrokerUnreachable('http://x', 'ECONNREFUSED');

describe('what is safe to repeat', () => {
  it('a call that is safe to repeat is repeated after growing pauses, or the pause that the broker asks for', async () => {
    const { timer, waits } = hasty();
    const busy = BrokerProblem.of(503, undefined, '3');
    expect(await retrying({ timer, forMs: 60_000 }, failing(away, away, busy, away))).toBe('done');
    expect(waits).toEqual([250, 500, 3_000, 2_000]);
  });

  it('a call that is safe to repeat is given up when patience is over, with what failed last', async () => {
    const { timer, waits } = hasty();
    const last = new BrokerUnreachable('http://x', 'ETIMEDOUT');
    await expect(retrying({ timer, forMs: 600 }, failing(away, last, away))).rejects.toBe(last);
    expect(waits).toEqual([250]);
  });

  it('a call that is safe to repeat is not repeated where the answer is no', async () => {
    const { timer, waits } = hasty();
    const refused = BrokerProblem.of(403, { detail: 'no' }, undefined);
    await expect(retrying({ timer, forMs: 60_000 }, failing(refused))).rejects.toBe(refused);
    expect(waits).toEqual([]);
  });
});
