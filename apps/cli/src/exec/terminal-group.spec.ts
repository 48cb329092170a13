import { describe, expect, it } from '@jest/globals';
import { isForeground } from './terminal-group.js';

describe('a process, by its line in /proc', () => {
  it.each([
    ['in the foreground of a terminal', '42 (node) S 1 42 40 34816 42 4194304 0', true],
    ['in the background of a terminal', '42 (node) S 1 42 40 34816 77 4194304 0', false],
    ['without a terminal', '42 (node) S 1 42 40 0 -1 4194304 0', false],
    ['with a name that looks like fields', '42 (a) S 1 1 1) S 1 42 40 34816 42 0', true],
    ['of a system that tells nothing', '', false],
  ])('the line of a process in /proc gives its terminal group: %s', (_what, stat, foreground) => {
    expect(isForeground(stat)).toBe(foreground);
  });
});
