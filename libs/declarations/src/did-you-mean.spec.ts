import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { suggestKey } from './did-you-mean.js';
import type { DocumentPath } from './document-path.js';

const inner = z.strictObject({ tasks: z.int(), task: z.int(), id: z.int() });
const schema = z.strictObject({
  spec: z.strictObject({
    list: z.array(inner).min(1),
    maybe: inner.optional(),
    filled: inner.default({ tasks: 1, task: 1, id: 1 }),
    record: z.record(z.string(), inner),
    checked: inner.refine(() => true),
  }),
});

describe('suggestKey', () => {
  it.each<[string, DocumentPath]>([
    ['a list', ['spec', 'list', 0]],
    ['an optional object', ['spec', 'maybe']],
    ['an object with defaults', ['spec', 'filled']],
    ['a record', ['spec', 'record', 'any']],
    ['a checked object', ['spec', 'checked']],
  ])('suggestKey knows the keys inside %s', (_, path) => {
    expect(suggestKey(schema, path, 'takss')).toBe('tasks');
  });

  it.each([
    ['tasc', 'task'],
    ['tasksx', 'tasks'],
    ['tsak', 'task'],
    ['ids', 'id'],
  ])('suggestKey takes %s for the nearest key, %s', (key, meant) => {
    expect(suggestKey(inner, [], key)).toBe(meant);
  });

  it.each(['conditions', 'xy', '', 'x'.repeat(100_000)])(
    'suggestKey suggests nothing for a key that is near none',
    (key) => {
      expect(suggestKey(inner, [], key)).toBeUndefined();
    },
  );

  it('suggestKey suggests nothing where the schema knows no keys', () => {
    expect(suggestKey(schema, ['spec', 'nowhere', 'at', 'all'], 'task')).toBeUndefined();
  });
});
