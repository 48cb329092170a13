import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { Problem } from '@mayfly/kernel';
import { failureFrom, failureOf, problemFrom, VaultFailure } from './failures.js';
import { refuseClamped } from './lifetime.js';
import { NoAnswer } from './transport.js';

describe('answers of vault that are no success', () => {
  it.each([
    [503, 'Vault is sealed', 'sealed', 'provider_unavailable'],
    [503, 'upstream connect error', 'unreachable', 'provider_unavailable'],
    [307, '', 'standby', 'provider_unavailable'],
    [473, '', 'standby', 'provider_unavailable'],
    [500, 'local node not active but active cluster node not found', 'standby', 'provider_unavailable'],
    [429, 'request path "x": rate limit quota exceeded', 'rate-limited', 'provider_unavailable'],
    [403, 'permission denied', 'permission-denied', 'provider_rejected'],
    [403, '1 error occurred:\n\t* permission denied\n\n', 'permission-denied', 'provider_rejected'],
    [404, 'namespace not found', 'namespace-missing', 'provider_rejected'],
    [404, 'no handler for route "x". route entry not found.', 'not-found', 'provider_rejected'],
    [400, 'unknown role: none', 'not-found', 'provider_rejected'],
    [400, 'something else', 'refused', 'provider_rejected'],
    [405, '1 error occurred:\n\t* unsupported operation\n\n', 'refused', 'provider_rejected'],
    [500, 'dial tcp 10.0.0.7:5432: connect: connection refused', 'engine-unavailable', 'provider_unavailable'],
    [502, '', 'unreachable', 'provider_unavailable'],
    [200, '', 'bad-answer', 'provider_rejected'],
  ])('an answer of vault with %i %j is %s', (status, text, reason, code) => {
    const failure = failureOf({ status, body: { errors: text === '' ? [] : [text] } });
    const problem = problemFrom(failure);
    expect(problem).toMatchObject({ code, extensions: { reason } });
    expect(problem.detail).not.toMatch(/10\.0\.0\.7/);
    expect(inspect(problem)).not.toContain('cause');
  });

  it('the answers of vault separate a dead token from a policy that denies', () => {
    const dead = (text: string) => failureOf({ status: 403, body: { errors: [text] } }).options.tokenDead;
    expect(dead('permission denied')).toBe(true);
    expect(dead('1 error occurred:\n\t* permission denied\n\n')).toBe(false);
  });

  it('answers of vault that are no success are unknown where the server may have acted', () => {
    expect(problemFrom(new NoAnswer('connection-lost', true)).code).toBe('provider_unavailable');
    expect(failureFrom(new NoAnswer('timeout', true)).options.uncertain).toBe(true);
    expect(failureFrom(new NoAnswer('unreachable', false)).options.uncertain).toBe(false);
    expect(problemFrom(new NoAnswer('address-refused', false))).toMatchObject({ code: 'provider_rejected' });
    expect(problemFrom(new VaultFailure('clamped-lifetime')).code).toBe('provider_rejected');
    expect(problemFrom(new VaultFailure('clamped-lifetime'), true).code).toBe('provider_unavailable');
  });

  it('a failure of vault shows as the words of vault what the server sent, and nothing else', () => {
    // `busy` is no known word of vault's errors, so it could be a secret.
    const sent = failureOf({ status: 400, body: { errors: ['the engine is busy'] } });
    expect(sent.detail).toMatch(/; check the scope and the connection \(vault says: the engine is …\)$/);
    const own = [
      thrownBy(() => refuseClamped(300, 60, ['TTL is capped'])),
      new NoAnswer('certificate', false),
      new Problem('unavailable', 'no signing key is ready; try again later'),
      new VaultFailure('refused', { detail: 'the token role is wrong; correct it' }),
    ];
    for (const error of own) expect(failureFrom(error).detail).not.toContain('vault says');
    expect(failureFrom(own[0]).detail).toBe(
      'vault granted 60 s of the 300 s that Mayfly asked for; raise the maximum there or ask for less',
    );
    expect(failureFrom(own[2]).detail).toBe('no signing key is ready; try again later');
  });

  it('answers of vault that are no success keep to the pause that the server asks for', () => {
    expect(problemFrom(failureOf({ status: 429, body: {}, retryAfterSeconds: 42 })).retryAfterSeconds).toBe(42);
  });

  it('answers of vault that are no success show nothing of an error that nobody expected', () => {
    const error = Object.assign(new Error('canary'), { config: { headers: { 'X-Vault-Token': 'canary' } } });
    expect(inspect(problemFrom(error), { showHidden: true, depth: 9 })).not.toContain('canary');
  });
});

function thrownBy(act: () => void): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
}
