import { describe, expect, it } from '@jest/globals';
import { NO_OBSERVER } from '@mayfly/tasks';
import { observerOf } from './failpoint-observer.js';

describe('observerOf', () => {
  it('the observer without a failpoint holds nothing and kills nothing', () => {
    expect(observerOf(undefined)).toBe(NO_OBSERVER);
    expect(NO_OBSERVER.reached('open')).toBeUndefined();
  });

  it('a failpoint holds what reaches its step, lets other steps go on, and kills at the count', async () => {
    let kills = 0;
    const observer = observerOf({ step: 'open', count: 2 }, () => void (kills += 1));
    expect(observer.reached('plan')).toBeUndefined();
    const held = observer.reached('open');
    expect(kills).toBe(0);
    const wentOn = await Promise.race([held?.then(() => 'went on'), new Promise((done) => setImmediate(done, 'held'))]);
    expect(wentOn).toBe('held');
    void observer.reached('open');
    expect(kills).toBe(1);
  });
});
