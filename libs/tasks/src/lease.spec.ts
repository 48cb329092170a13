import { describe, expect, it } from '@jest/globals';
import { canMove, isTerminal, type LeaseState } from './lease.js';

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
