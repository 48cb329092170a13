import { describe, expect, it } from '@jest/globals';
import { requireSealingKeys } from './sealing-keys.js';

type Count = Parameters<typeof requireSealingKeys>[1] extends { count(limit: number): Promise<readonly (infer C)[]> }
  ? C
  : never;

const leases = (keyId: number, count: number, current = count): Count => ({ kind: 'lease', keyId, count, current });

async function start(counts: readonly Count[], previous: readonly number[] = [2]): Promise<object[]> {
  const lines: object[] = [];
  const line = (facts: object): void => void lines.push(facts);
  const log = { info: line, warn: line } as never;
  await requireSealingKeys({ keyIds: { current: 1, previous } }, { count: async () => counts }, log);
  return lines;
}

describe('the sealing keys at the start', () => {
  it('a start with every key that is needed says what a previous key still has to open', async () => {
    const answers: Count = { kind: 'answer', keyId: 2, count: 3, current: 3 };
    expect(await start([leases(1, 40), leases(2, 7), answers])).toEqual([{ leases: 7, answers: 3 }]);
  });

  it('a start without a previous key and without need of one says nothing', async () => {
    expect(await start([leases(1, 40)], [])).toEqual([]);
  });

  it('a start without a key that living leases need is refused with their number', async () => {
    await expect(start([leases(1, 40), leases(9, 4)])).rejects.toThrow(
      /another key sealed 4 leases .* 0 answers .*; add it to MAYFLY_SEALING_KEY_PREVIOUS/,
    );
  });

  it('a lease that is overdue for a day stops no start: its key may be lost', async () => {
    expect(await start([leases(9, 2, 0)], [])).toEqual([{ leases: 2 }]);
  });
});
