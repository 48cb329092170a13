import { describe, expect, it } from '@jest/globals';
import { canMove, isTerminal, type LeaseState, isAbandonable } from './lease.js';

const STATES: readonly LeaseState[] = ['minting', 'active', 'revoking', 'revoked', 'expired', 'failed', 'abandoned'];
const MOVES = [
  'minting > active',
  'minting > revoking',
  'minting > failed',
  'active > revoking',
  'revoking > revoked',
  'revoking > expired',
  'revoking > abandoned',
];

describe('the states of a lease', () => {
  it.each(STATES.flatMap((from) => STATES.map((to) => [from, to] as const)))(
    'a lease may move from %s to %s',
    (from, to) => {
      expect(canMove(from, to)).toBe(MOVES.includes(`${from} > ${to}`));
    },
  );

  it('a lease ends in one of four states', () => {
    expect(STATES.filter(isTerminal)).toEqual(['revoked', 'expired', 'failed', 'abandoned']);
  });
});

describe('isAbandonable', () => {
  const NOW = new Date('2030-01-01T00:00:00Z');
  const LATER = new Date('2030-01-01T00:00:01Z');

  it.each(STATES)('a lease that is %s may be abandoned only if it is revoking', (state) => {
    expect(isAbandonable({ state, expiresAt: NOW, lastError: 'no answer' }, NOW)).toBe(state === 'revoking');
  });

  it.each([
    ['whose deadline has passed', { expiresAt: NOW }, true],
    ['of which a try failed', { expiresAt: LATER, lastError: 'no answer' }, true],
    ['that waits for its first try before its deadline', { expiresAt: LATER }, false],
  ])('a revoking lease %s is judged by its deadline and its last error', (_, lease, allowed) => {
    expect(isAbandonable({ state: 'revoking', ...lease }, NOW)).toBe(allowed);
  });
});
