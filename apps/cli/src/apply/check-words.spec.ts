import { describe, expect, it } from '@jest/globals';
import type { Declaration } from '@mayfly/declarations';
import { CommandFailure } from '../command-failure.js';
import { EXIT } from '../exit-codes.js';
import { checkWords, refusedWords } from './check-words.js';
import type { Checked } from './declarations.client.js';
import type { ApplyStep } from './steps.js';

const fourEyes = new CommandFailure(EXIT.refused, 'not the author');
const refused = new CommandFailure(EXIT.refused, 'TaskTemplate/a: spec.owner: name one');
const checkOf = (found: Partial<Checked>): Checked => ({
  ...{ refusal: undefined, publication: undefined, findings: [] },
  ...found,
});
const wordsOf = (change: ApplyStep['change'], found: Partial<Checked>): string[] => {
  const declared = { kind: 'TaskTemplate', metadata: { name: 'a' }, spec: {} } as unknown as Declaration;
  return checkWords(
    [{ file: 'x.yaml', declared, change, differences: [] }],
    new Map([['TaskTemplate/a', checkOf(found)]]),
  );
};

describe('what a check says', () => {
  it('the report of a check names a refused document once', () => {
    expect(wordsOf('update', { refusal: refused })).toEqual([
      'would be refused  TaskTemplate/a  (x.yaml): spec.owner: name one',
    ]);
  });

  it.each([
    ['create', 'would be applied as a draft, not published  TaskTemplate/a  (x.yaml): not the author'],
    ['unchanged', 'would not be published  TaskTemplate/a  (x.yaml): not the author'],
  ] as const)(
    'the report of a check of a draft to %s that another person has to publish is no refusal',
    (change, words) => {
      expect(wordsOf(change, { publication: fourEyes })).toEqual([words]);
    },
  );

  it('the report of a check counts refused and unpublished documents separately', () => {
    const [bad, draft, good] = [checkOf({ refusal: refused }), checkOf({ publication: fourEyes }), checkOf({})];
    expect(refusedWords([bad, draft, good], 3)).toBe('1 of 3 would be refused, 1 of 3 would not be published');
    expect(refusedWords([draft, good], 2)).toBe('1 of 2 would not be published');
    expect(refusedWords([good], 1)).toBeUndefined();
  });
});
