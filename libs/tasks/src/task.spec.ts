import { describe, expect, it } from '@jest/globals';
import { addSeconds } from '@mayfly/kernel';
import { dueAt } from './task.js';

const NOW = new Date('2030-01-01T00:00:00Z');

describe('dueAt', () => {
  it.each([
    ['its expiry when it has no heartbeat', undefined, 600, 600],
    ['the loss of its heartbeat when that comes first', 30, 600, 30],
    ['its expiry when that comes first', 900, 600, 600],
  ])('the due time of a task is %s', (_, heartbeatTimeoutSeconds, lifetime, due) => {
    const expiresAt = addSeconds(NOW, lifetime);
    const task = { expiresAt, ...(heartbeatTimeoutSeconds === undefined ? {} : { heartbeatTimeoutSeconds }) };
    expect(dueAt(task, NOW)).toEqual(addSeconds(NOW, due));
  });
});
