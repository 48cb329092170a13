import { describe, expect, it } from '@jest/globals';
import { Problem } from '@mayfly/kernel';
import { agentRefused, identityRefusalReason, identityRefused, keysUnavailable } from './identity-refusal.js';

describe('an identity refusal', () => {
  it('tells every caller the same and the audit the reason', () => {
    const [expired, forged] = [identityRefused('expired'), identityRefused('signature')];
    expect(expired.detail).toBe(forged.detail);
    expect(expired.message).toBe(forged.message);
    expect([expired, forged].map(identityRefusalReason)).toEqual(['expired', 'signature']);
  });

  it('keeps what went wrong with the keys for the log', () => {
    const down = new Error('down');
    const problem = keysUnavailable(down);
    expect(problem.code).toBe('unavailable');
    expect(identityRefusalReason(problem)).toBe('keys_unavailable');
    expect((problem.cause as Error).cause).toBe(down);
  });

  it('has a reason where no agent is bound', () => {
    expect(identityRefusalReason(agentRefused('no_agent'))).toBe('no_agent');
  });

  it.each([
    ['another Problem', new Problem('unauthenticated', 'x')],
    ['an error', new Error('x')],
    ['nothing', undefined],
  ])('has no reason for %s', (_, error) => {
    expect(identityRefusalReason(error)).toBeUndefined();
  });
});
