import { describe, expect, it } from '@jest/globals';
import { NotifyQueueWatch } from './notify-queue.js';

function watching(answer: () => Promise<unknown>) {
  const logged: unknown[] = [];
  const log = {
    warn: (facts: object) => void logged.push(['warn', facts]),
    error: (facts: object) => void logged.push(['error', facts]),
  };
  return { logged, watch: new NotifyQueueWatch({ query: answer } as never, log) };
}

const using = (usage: number) => watching(async () => ({ rows: [{ usage }] }));

describe('NotifyQueueWatch', () => {
  it.each([
    [0, []],
    [0.09, []],
    [0.1, [['warn', { usage: 0.1 }]]],
    [0.49, [['warn', { usage: 0.49 }]]],
    [0.5, [['error', { usage: 0.5 }]]],
    [1, [['error', { usage: 1 }]]],
  ])('NotifyQueueWatch with %d of the queue in use logs %j', async (usage, expected) => {
    const { watch, logged } = using(usage);
    await watch.round();
    expect(logged).toEqual(expected);
    expect(watch.usage).toBe(usage);
  });

  it('NotifyQueueWatch has no value before the first look, and none after a look without an answer', async () => {
    let down = false;
    const { watch } = watching(async () => {
      if (down) throw new Error('gone');
      return { rows: [{ usage: 0.2 }] };
    });
    expect(watch.usage).toBeUndefined();
    await watch.round();
    down = true;
    await expect(watch.round()).rejects.toThrow('gone');
    expect(watch.usage).toBeUndefined();
  });
});
