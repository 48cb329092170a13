import { describe, expect, it } from '@jest/globals';
import { compareEpochs, type Epoch, type StoredEpoch } from './epoch.js';

const SEEN: Epoch = { lineage: 'one', sequence: 40, leaf: 'leaf-40' };
const stored = (changes: Partial<StoredEpoch> = {}): StoredEpoch => ({
  ...{ lineage: 'one', isWritten: true, head: { sequence: 42, leaf: 'leaf-42' }, leafAt: 'leaf-40' },
  ...{ superseded: undefined, quarantine: undefined, ...changes },
});
const head = (sequence: number) => ({ head: { sequence, leaf: `leaf-${String(sequence)}` } });

describe('the comparison of the epochs', () => {
  it.each([
    ['a database that has the seen entry and newer ones goes on', SEEN, stored(), 'write'],
    ['a database whose last entry is the seen one goes on', SEEN, stored(head(40)), 'same'],
    ['a database that lacks the seen entry is older', SEEN, stored({ ...head(39), leafAt: '' }), 'older'],
    ['a database without any entry is older', SEEN, stored({ ...head(0), leafAt: '' }), 'older'],
    ['a restored database that wrote on past the seen entry is forked', SEEN, stored({ leafAt: 'other' }), 'forked'],
    [
      'a database that never wrote an epoch is older than any epoch',
      SEEN,
      stored({ lineage: undefined, isWritten: false }),
      'older',
    ],
    ['a database of another lineage is not the one that was seen', SEEN, stored({ lineage: 'two' }), 'other_lineage'],
    ['a database whose epoch is gone cannot prove its age', undefined, stored(), 'missing'],
    [
      'a database writes its first epoch',
      undefined,
      stored({ lineage: undefined, isWritten: false, ...head(0) }),
      'write',
    ],
    [
      'a database whose first epoch was lost with the process that wrote it writes it again',
      undefined,
      stored({ isWritten: false }),
      'write',
    ],
    [
      'a confirmed database replaces the epoch that the confirmation saw',
      SEEN,
      stored({ lineage: 'two', superseded: SEEN, ...head(12), leafAt: '' }),
      'write',
    ],
    [
      'a confirmed database does not replace an epoch that another database wrote after the confirmation',
      { ...SEEN, sequence: 41 },
      stored({ lineage: 'two', superseded: SEEN }),
      'other_lineage',
    ],
    [
      'a database without entries has its own epoch',
      { lineage: 'one', sequence: 0, leaf: '' },
      stored({ leafAt: '' }),
      'write',
    ],
  ] as const)('the comparison says that %s', (_, outside, inside, result) => {
    const verdict = compareEpochs(outside, inside);
    expect(verdict.kind === 'quarantine' ? verdict.cause : verdict.kind).toBe(result);
  });
});
