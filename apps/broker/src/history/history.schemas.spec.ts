import { describe, expect, it } from '@jest/globals';
import { newId } from '@mayfly/kernel';
import { EntriesQuerySchema, IssuancesQuerySchema, TimelineQuerySchema } from './history.schemas.js';

describe('the query of the history', () => {
  it('the query of the history takes each filter', () => {
    const query = {
      ...{ agent: 'a', template: 't', provider: 'signed-token', state: 'revoked', cause: 'completed' },
      ...{ taskId: newId('tsk'), from: '2026-11-22T00:00:00Z', to: '2026-11-22T01:00:00.5+01:00' },
    };
    expect(IssuancesQuerySchema.parse({ ...query, limit: '200' })).toEqual({ ...query, limit: 200 });
  });

  it('the default page of a timeline holds all entries of most tasks', () => {
    expect(TimelineQuerySchema.parse({}).limit).toBe(200);
  });

  it.each([
    { state: 'gone' },
    { cause: 'boredom' },
    { agent: '' },
    { agent: 'a'.repeat(64) },
    { agent: ['a', 'b'] },
    { taskId: 'tsk_1' },
    { taskId: newId('lse') },
    { from: 'yesterday' },
    { from: '2026-11-22' },
    { from: '2026-02-30T00:00:00Z' },
    { to: '0000-01-01T00:00:00Z' },
    { owner: 'me' },
  ])('the query of the history refuses %j', (query) => {
    expect(IssuancesQuerySchema.safeParse(query).success).toBe(false);
  });

  it.each([{ type: `task.denied' OR 1` }, { type: 'x' }, { state: 'active' }])(
    'the query of the audit refuses %j',
    (query) => {
      expect(EntriesQuerySchema.safeParse(query).success).toBe(false);
    },
  );
});
