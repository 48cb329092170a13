import { describe, expect, it } from '@jest/globals';
import { Problem } from './problem.js';

describe('Problem', () => {
  it('Problem keeps what the caller may read apart from what only the log may', () => {
    const cause = new Error('connection refused');
    const problem = new Problem('unavailable', 'the database does not answer', {
      cause,
      retryAfterSeconds: 5,
      taskId: 'tsk_1',
      control: 'lifetime',
      help: 'try again',
    });
    expect(problem.extensions).toEqual({ taskId: 'tsk_1', control: 'lifetime', help: 'try again' });
    expect(problem.retryAfterSeconds).toBe(5);
    expect(problem.cause).toBe(cause);
    expect(problem.message).toBe('unavailable: the database does not answer');
    expect(problem).toBeInstanceOf(Error);
  });

  it('Problem has no cause unless it is given one', () => {
    const problem = new Problem('internal', 'it broke');
    expect('cause' in problem).toBe(false);
    expect(problem.extensions).toEqual({});
  });
});
