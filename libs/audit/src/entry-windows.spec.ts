import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { EntryWindows, type Attempt } from './entry-windows.js';

const at = (seconds: number) => new Date(seconds * 1000);
const newWindows = (bounds: { maxGroups?: number; maxMembers?: number } = {}) =>
  new EntryWindows({ seconds: 60, maxGroups: 100, maxMembers: 100, ...bounds });
const attempt = (reason: string, key?: string): Attempt => ({
  group: { type: 'refused', reason },
  limit: 5,
  ...(key === undefined ? {} : { member: { key, limit: 2 } }),
});

/** How many of `count` attempts in a row are admitted. */
const admitted = (count: number, admit: (index: number) => boolean): number =>
  Array.from({ length: count }, (_, index) => admit(index)).filter(Boolean).length;

describe('windows of entries', () => {
  it('windows of entries admit the first attempts of a group in each window, and count the others exactly', () => {
    const windows = newWindows();
    expect(admitted(9, () => windows.admit(at(61), attempt('expired')))).toBe(5);
    expect(windows.take(at(119))).toEqual([]);
    expect(admitted(7, () => windows.admit(at(120), attempt('expired')))).toBe(5);
    const group = { type: 'refused', reason: 'expired' };
    expect(windows.take(at(121))).toEqual([{ group, count: 4, from: at(61), to: at(61) }]);
    expect(windows.take(at(180))).toEqual([{ group, count: 2, from: at(120), to: at(120) }]);
    expect(windows.take('all')).toEqual([]);
  });

  it('windows of entries do not let one group silence another', () => {
    const windows = newWindows();
    admitted(99, () => windows.admit(at(1), attempt('expired')));
    expect(windows.admit(at(1), attempt('audience'))).toBe(true);
  });

  it('windows of entries hold one member to its own limit first, so that it does not use up that of its group', () => {
    const windows = newWindows();
    expect(admitted(99, () => windows.admit(at(1), attempt('no_agent', 'loud')))).toBe(2);
    expect(admitted(99, (n) => windows.admit(at(1), attempt('no_agent', `other-${String(n)}`)))).toBe(3);
    expect(windows.take('all')).toMatchObject([{ count: 97 + 96 }]);
  });

  it('windows of entries tell members apart however their names are put together', () => {
    const windows = newWindows();
    admitted(9, () => windows.admit(at(1), attempt('no_agent', 'a","b')));
    expect(windows.admit(at(1), attempt('no_agent', 'a'))).toBe(true);
    expect(windows.admit(at(1), attempt('no_agent","a', 'b'))).toBe(true);
  });

  it('windows of entries keep counts that could not be told, and add to them', () => {
    const windows = newWindows();
    admitted(7, () => windows.admit(at(1), attempt('expired')));
    windows.putBack(windows.take('all'));
    windows.count(at(70), attempt('expired'));
    expect(windows.take(at(200))).toMatchObject([{ count: 3, from: at(1), to: at(70) }]);
  });

  it('windows of entries start anew when the clock is set back, and lose nothing', () => {
    const windows = newWindows();
    admitted(7, () => windows.admit(at(500), attempt('expired')));
    expect(windows.admit(at(1), attempt('expired'))).toBe(true);
    expect(windows.take(at(1))).toMatchObject([{ count: 2 }]);
  });

  it('windows of entries admit or count every attempt once, whatever is attempted and however little they may remember', () => {
    const attempts = fc.array(
      fc.record({ second: fc.nat(300), reason: fc.string(), key: fc.option(fc.string(), { nil: undefined }) }),
      { maxLength: 200 },
    );
    fc.assert(
      fc.property(attempts, fc.integer({ min: 1, max: 5 }), (all, bound) => {
        const windows = newWindows({ maxGroups: bound, maxMembers: bound });
        let [written, counted] = [0, 0];
        for (const { second, reason, key } of all) {
          if (windows.admit(at(second), attempt(reason, key))) written += 1;
          if (second % 7 === 0) windows.putBack(windows.take(at(second)));
        }
        const taken = windows.take('all');
        for (const { count } of taken) counted += count;
        expect(written + counted).toBe(all.length);
        expect(taken.length).toBeLessThanOrEqual(bound + 1);
      }),
    );
  });
});
