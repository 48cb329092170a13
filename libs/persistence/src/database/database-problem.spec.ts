import { describe, expect, it } from '@jest/globals';
import { Problem } from '@mayfly/kernel';
import { databaseProblem } from './database-problem.js';

describe('databaseProblem', () => {
  it('databaseProblem lets problems pass', () => {
    const problem = new Problem('conflict', 'somebody was quicker');
    expect(() => databaseProblem(problem)).toThrow(problem);
  });

  it('databaseProblem keeps the text of everything else for the log', () => {
    const error = new Error('password authentication failed for user "mayfly_app"');
    expect(() => databaseProblem(error)).toThrow(
      expect.objectContaining({
        code: 'unavailable',
        detail: expect.not.stringMatching(/password|granted/),
        retryAfterSeconds: 2,
        cause: error,
      }),
    );
  });
});
