import { describe, expect, it } from '@jest/globals';
import type { Credential, Task } from '@mayfly/client';
import { isClosed, leaseEnds } from './lease-ends.js';
import { taskAnswer } from './task.fixture.js';

const REQUESTED = '2026-11-22T14:00:00.000Z';

function ended(credential: Partial<Credential>): Task {
  const lease: Credential = {
    ...({ leaseId: 'lse_1', name: 'db', provider: 'postgres', state: 'revoked', revocation: 'immediate' } as const),
    ...{ expiresAt: '2026-11-22T15:00:00.000Z', revokeRequestedAt: REQUESTED, ...credential },
  };
  return taskAnswer({ credentials: [lease] });
}

describe('how a credential ended', () => {
  it.each<[Partial<Credential>, string]>([
    [
      { revokeEffectiveAt: '2026-11-22T14:00:00.043Z', endedAt: '2026-11-22T14:00:00.050Z' },
      'revoked, refused after 43 ms',
    ],
    [{ endedAt: '2026-11-22T14:00:02.500Z' }, 'revoked, refused after 2.5 s'],
    [
      { revokeEffectiveAt: '2026-11-22T14:59:00.000Z', endedAt: '2026-11-22T14:00:00.050Z', revocation: 'propagating' },
      'revoked, accepted until 2026-11-22T14:59:00.000Z by resource servers that do not introspect it',
    ],
    [
      { state: 'abandoned', lastError: 'the target does not answer' },
      'abandoned without proof of its revocation, may be usable until 2026-11-22T15:00:00.000Z (the target does not answer)',
    ],
    [{ state: 'revoking', lastError: 'the target does not answer' }, 'being revoked (the target does not answer)'],
    [
      { state: 'revoking', revokeEffectiveAt: '2026-11-22T14:01:00.000Z' },
      'being revoked, refused from 2026-11-22T14:01:00.000Z on',
    ],
    [{ state: 'expired', revocation: 'expiry-only' }, 'expired, usable until 2026-11-22T15:00:00.000Z'],
    [{ state: 'expired' }, 'expired'],
  ])('the report on an ended credential follows its state: %j', (credential, words) => {
    expect(leaseEnds(ended(credential))).toEqual([`db (postgres): ${words}`]);
  });

  it('the report calls a credential closed when no step is left', () => {
    expect(isClosed(ended({}))).toBe(true);
    expect(isClosed(ended({ state: 'revoking' }))).toBe(false);
    expect(isClosed(ended({ state: 'abandoned' }))).toBe(false);
  });
});
