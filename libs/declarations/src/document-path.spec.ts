import { describe, expect, it } from '@jest/globals';
import { dottedPath, pathOf, pointerOf, type DocumentPath } from './document-path.js';

describe('paths', () => {
  it.each<[DocumentPath, string, string]>([
    [[], '', ''],
    [['spec', 'credentials', 0, 'scope'], '/spec/credentials/0/scope', 'spec.credentials[0].scope'],
    [['spec', 'a/b~c'], '/spec/a~1b~0c', 'spec["a/b~c"]'],
    [['spec', 'two\nlines'], '/spec/two\nlines', 'spec["two\\nlines"]'],
    [['spec', '$param'], '/spec/$param', 'spec.$param'],
  ])('the path %j is written %j and %j', (path, pointer, dotted) => {
    expect(pointerOf(path)).toBe(pointer);
    expect(dottedPath(path)).toBe(dotted);
    expect(pathOf(pointer)).toEqual(path);
  });
});
