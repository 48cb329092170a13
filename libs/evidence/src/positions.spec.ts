import { describe, expect, it } from '@jest/globals';
import { newId } from '@mayfly/kernel';
import { IssuancePositionSchema, SequenceSchema, StoryPositionSchema } from './positions.js';

describe('a position in the history', () => {
  // The database holds no such position, and its statement would fail: the schema refuses them first.
  it.each([
    [IssuancePositionSchema, { createdAt: '2026-11-22T00:00:00Z', leaseId: newId('lse') }],
    [IssuancePositionSchema, { createdAt: '2026-11-22T00:00:00.000000Z', leaseId: newId('tsk') }],
    [StoryPositionSchema, { batch: '9223372036854775808', place: 0 }],
    [StoryPositionSchema, { batch: '1', place: -1 }],
    [SequenceSchema, -1],
    [SequenceSchema, 1.5],
    [SequenceSchema, 2 ** 60],
  ])('a cursor schema refuses the position %#', (schema, position) => {
    expect(schema.safeParse(position).success).toBe(false);
  });
});
