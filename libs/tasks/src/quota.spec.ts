import { describe, expect, it } from '@jest/globals';
import { exhaustedLimit, quotaScope } from './quota.js';

describe('exhaustedLimit', () => {
  it.each([
    [0, 5, 'quota-tasks-per-minute'],
    [5, 0, 'quota-concurrent-tasks'],
    [0, 0, 'quota-concurrent-tasks'],
    [1, 1, undefined],
  ])(
    'exhaustedLimit with %i tasks left this minute and %i at once is %s',
    (tasksThisMinute, concurrentTasks, limit) => {
      expect(exhaustedLimit({ tasksThisMinute, concurrentTasks })).toBe(limit);
    },
  );
});

describe('quotaScope', () => {
  it('quotaScope is one for all versions of a template, and another for each template', () => {
    expect(quotaScope('read-cases')).toBe('template/read-cases');
    expect(quotaScope('write-cases')).not.toBe(quotaScope('read-cases'));
  });
});
