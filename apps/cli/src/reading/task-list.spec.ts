import { describe, expect, it } from '@jest/globals';
import type { Issuance } from '@mayfly/client';
import { firstTasks } from './task-list.js';

const issuance = (taskId: string, name: string, state: Issuance['state'] = 'active'): Issuance => ({
  ...{
    leaseId: `lse_${taskId}_${name}`,
    taskId,
    name,
    state,
    provider: 'p',
    agent: 'a',
    runtime: 'r',
    purpose: 'p',
    scope: {},
    cause: 'completed',
  },
  ...{ template: { name: 't', version: 2 }, createdAt: '2026-11-22T14:00:00Z', expiresAt: '2026-11-22T15:00:00Z' },
});

async function* history() {
  yield* [issuance('3', 'db'), issuance('3', 'api', 'revoked'), issuance('2', 'db'), issuance('1', 'db')];
  throw new Error('read further than needed');
}

describe('tasks by their leases', () => {
  it('the task list shows whole tasks and reads no more pages than it needs', async () => {
    const tasks = await firstTasks(history(), 2);
    expect(tasks.map(({ taskId }) => taskId)).toEqual(['3', '2']);
    expect(tasks[0]).toMatchObject({
      template: 't@2',
      credentials: { db: 'active', api: 'revoked' },
      cause: 'completed',
    });
  });
});
