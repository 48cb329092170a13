import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { newId } from '@mayfly/kernel';
import fc from 'fast-check';
import { TaskTokens } from './task-tokens.js';

const key = (): string => randomBytes(32).toString('hex');
const current = key();
const tokens = new TaskTokens({ current });
const taskId = newId('tsk');

describe('a task token', () => {
  it('a task token names its task, is at most 100 ASCII characters, and is the same at each call', () => {
    const token = tokens.tokenOf(taskId);
    expect(token).toMatch(/^mft_[0-9a-z]{26}_[\w-]{43}$/);
    expect(tokens.tokenOf(taskId)).toBe(token);
    expect(tokens.taskOf(token)).toBe(taskId);
  });

  it('a task token under an earlier sealing key is still recognised, and one of another installation is not', () => {
    const token = tokens.tokenOf(taskId);
    expect(new TaskTokens({ current: key(), previous: [current] }).taskOf(token)).toBe(taskId);
    expect(new TaskTokens({ current: key() }).taskOf(token)).toBeUndefined();
  });

  it('a task token with any one character replaced is none', () => {
    const token = tokens.tokenOf(taskId);
    for (let at = 0; at < token.length; at += 1)
      for (const other of ['A', 'B', '_', 'z', ' '].filter((letter) => letter !== token[at]))
        expect(tokens.taskOf(token.slice(0, at) + other + token.slice(at + 1))).toBeUndefined();
  });

  it.each([
    ['with the code of another task', tokens.tokenOf(newId('tsk')).slice(0, 31) + tokens.tokenOf(taskId).slice(31)],
    ['followed by a line feed', `${tokens.tokenOf(taskId)}\n`],
    ['without its prefix', tokens.tokenOf(taskId).slice(4)],
    ['that is the id of the task', taskId],
    ['that is empty', ''],
  ])('a text %s is no task token', (_, text) => {
    expect(tokens.taskOf(text)).toBeUndefined();
  });

  it('a text of any other form is no task token, and never throws', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.string().map((rest) => `mft_${rest}`),
        ),
        (text) => {
          expect(tokens.taskOf(text)).toBeUndefined();
        },
      ),
    );
  });
});
