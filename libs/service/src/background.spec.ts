import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createLogger } from '@mayfly/telemetry';
import { Background } from './background.js';

const PACE = { pauseMs: 100, idleMs: 500 };

describe('background work', () => {
  let background: Background;
  let began: number[];
  beforeEach(() => {
    jest.useFakeTimers({ now: 0 });
    background = new Background(createLogger({ level: 'silent', redact: (text) => text }));
    began = [];
  });
  afterEach(async () => {
    await background.stop();
    jest.useRealTimers();
  });

  /** Repeats rounds that find what `finds` says, one after the other, then nothing. Notes when each began. */
  function repeat(...finds: readonly ('more' | 'some' | 'nothing' | Error)[]): void {
    const left = [...finds];
    background.repeat('sweep', PACE, () => {
      began.push(Date.now());
      const found = left.shift() ?? 'nothing';
      return found instanceof Error ? Promise.reject(found) : Promise.resolve(found);
    });
  }

  it('pauses longer after each round without work, up to the idle pause', async () => {
    repeat();
    await jest.advanceTimersByTimeAsync(1_700);
    expect(began).toEqual([0, 200, 600, 1_100, 1_600]);
  });

  it('pauses shortly after a round with work or with a failure, and not at all while there is more', async () => {
    repeat('nothing', 'nothing', 'some', new Error('no database'), 'more', 'nothing');
    await jest.advanceTimersByTimeAsync(1_100);
    expect(began).toEqual([0, 200, 600, 700, 800, 800, 1_000]);
  });

  it('background work is woken from an idle pause, and pauses shortly again', async () => {
    repeat();
    await jest.advanceTimersByTimeAsync(1_150);
    background.wake('sweep');
    await jest.advanceTimersByTimeAsync(250);
    expect(began).toEqual([0, 200, 600, 1_100, 1_150, 1_350]);
  });

  it('background work is not woken from a short pause, so that many wake-ups cause no more rounds', async () => {
    repeat('some', 'some');
    await jest.advanceTimersByTimeAsync(50);
    background.wake('sweep');
    await jest.advanceTimersByTimeAsync(60);
    expect(began).toEqual([0, 100]);
  });

  it('ends a pause when it stops', async () => {
    repeat();
    await jest.advanceTimersByTimeAsync(1);
    await background.stop();
    await jest.advanceTimersByTimeAsync(10_000);
    expect(began).toEqual([0]);
  });
});
