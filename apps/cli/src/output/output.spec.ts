import { describe, expect, it } from '@jest/globals';
import { Notices } from './notices.js';
import { Output } from './output.js';
import { list, table } from './table.js';

function written(isTTY: boolean, act: (stream: { isTTY: boolean; write(text: string): unknown }) => void): string {
  let all = '';
  act({ isTTY, write: (text) => (all += text) });
  return all;
}

describe('answers', () => {
  it.each([
    [true, false, 'words'],
    [true, true, '{\n  "a": 1\n}\n'],
    [false, false, '{\n  "a": 1\n}\n'],
  ])('command output at a terminal is %s, with --json: %s', (isTTY, asJson, text) => {
    expect(written(isTTY, (stream) => new Output(stream, asJson).show({ a: 1 }, () => 'words'))).toBe(text);
  });

  it('command output reports progress to people only', () => {
    expect(written(false, (stream) => new Output(stream, false).say('progress'))).toBe('');
  });
});

describe('a table', () => {
  it('a table of the CLI is aligned, and cannot be made to steer a terminal or to fake a row', () => {
    expect(
      table(
        ['A', 'LONG'],
        [
          ['one', 'x'],
          ['seven77', '\u001b[31m\nfake'],
        ],
      ),
    ).toBe('A        LONG\none      x\nseven77  \uFFFD[31m fake\n');
  });

  it('a table of the CLI leaves out names without a value', () => {
    expect(list({ a: '1', longer: '2', gone: undefined })).toBe('a       1\nlonger  2\n');
  });
});

describe('notices', () => {
  it('notices are for terminals, warnings for everybody, and some once', () => {
    const speak = (notices: Notices): void => {
      notices.note('all is well');
      for (const _ of [1, 2]) notices.warnOnce('look out', 'do this');
    };
    expect(written(false, (stream) => speak(new Notices(stream)))).toBe('mayfly: look out\nmayfly: do this\n');
    expect(written(true, (stream) => speak(new Notices(stream)))).toMatch(/^mayfly: all is well\n/);
  });
});
