import type { Task } from '@mayfly/client';

/** Returns an active task in the form of an answer of a broker; `more` overrides members. */
export function taskAnswer(more: Partial<Task> = {}): Task {
  return {
    id: 'tsk_1',
    state: 'active',
    template: { name: 't', version: 1 },
    agent: { id: 'agt_1', name: 'a' },
    runtime: 'r',
    parameters: {},
    purpose: 'p',
    createdAt: '2026-11-22T14:00:00Z',
    expiresAt: '2026-11-22T14:15:00Z',
    maxExpiresAt: '2026-11-22T14:30:00Z',
    credentials: [],
    ...more,
  };
}
