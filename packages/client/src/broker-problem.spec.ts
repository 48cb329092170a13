import { describe, expect, it } from '@jest/globals';
import { BrokerProblem } from './broker-problem.js';
import { isPassing } from './retrying.js';

const problem = (code: string, more: object = {}) => ({
  type: `urn:mayfly:problem:${code}`,
  detail: 'this is why',
  ...more,
});

describe('a problem', () => {
  it('a problem has the code of its type, what refused, what would help, and when to ask again', () => {
    const body = problem('policy_denied', { control: 'runtime', help: 'ask elsewhere', instance: 'urn:x' });
    expect(BrokerProblem.of(403, body, '30')).toMatchObject({
      status: 403,
      code: 'policy_denied',
      message: 'this is why',
      control: 'runtime',
      help: 'ask elsewhere',
      retryAfterSeconds: 30,
      document: body,
    });
  });

  it.each([undefined, null, 'text', { detail: 7 }, [], problem('x', { help: 7 })])(
    'a problem of something that is no broker (%j) says just that',
    (body) => {
      expect(BrokerProblem.of(502, body, 'soon')).toMatchObject({
        code: '',
        message: 'the broker answered 502 without saying why',
        retryAfterSeconds: undefined,
        document: {},
      });
    },
  );

  it.each([
    [503, 'unavailable', undefined, true],
    [500, 'internal', undefined, true],
    [502, '', undefined, true],
    [409, 'request_in_flight', '1', true],
    [409, 'conflict', undefined, false],
    [403, 'policy_denied', undefined, false],
    [502, 'provider_rejected', undefined, false],
    [429, 'quota_exceeded', '30', false],
  ])('a call answered with %s %s (Retry-After %s) may be repeated: %s', (status, code, retryAfter, passes) => {
    expect(isPassing(BrokerProblem.of(status, code === '' ? undefined : problem(code), retryAfter))).toBe(passes);
  });
});
