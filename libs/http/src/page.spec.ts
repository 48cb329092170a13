import { describe, expect, it } from '@jest/globals';
import { PageQuerySchema } from './page.js';

describe('a page of a list', () => {
  it.each([
    [{}, 50],
    [{ limit: '1' }, 1],
    [{ limit: '200' }, 200],
  ])('reads %j as a limit of %i', (query, limit) => {
    expect(PageQuerySchema.parse(query).limit).toBe(limit);
  });

  it.each([{ limit: '0' }, { limit: '201' }, { limit: '1.5' }, { limit: 'x' }, { page: '2' }])(
    'refuses %j',
    (query) => {
      expect(PageQuerySchema.safeParse(query).success).toBe(false);
    },
  );
});
