import { describe, expect, it } from '@jest/globals';
import { EngineQueue } from './engine-queue.js';

describe('the queue at an engine', () => {
  it('the queue at an engine lets so many in at a time, in the order in which they came, and continues after a failure', async () => {
    const queue = new EngineQueue();
    const order: number[] = [];
    let busy = 0;
    let most = 0;
    const calls = Array.from({ length: 20 }, (_, index) =>
      queue.run('database', 3, async () => {
        order.push(index);
        most = Math.max(most, (busy += 1));
        await new Promise(setImmediate);
        busy -= 1;
        if (index === 4) throw new Error('one fails');
      }),
    );
    const outcomes = await Promise.allSettled(calls);
    expect(most).toBe(3);
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(1);
  });

  it('the queue at an engine has one engine wait for no other', async () => {
    const queue = new EngineQueue();
    void queue.run('slow', 1, () => new Promise(() => undefined));
    await expect(queue.run('fast', 1, async () => 'done')).resolves.toBe('done');
  });
});
