import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { PageQuerySchema, pageView, positionOf } from './page.js';

describe('a page of a list', () => {
  it('gives back the position that it gave out', () => {
    const { items, nextCursor } = pageView([{ name: 'a' }], ['a', 7]);
    expect(items).toEqual([{ name: 'a' }]);
    expect(positionOf(nextCursor as string, z.tuple([z.string(), z.number()]))).toEqual(['a', 7]);
  });

  it('has no cursor on the last page, and needs none for the first', () => {
    expect(pageView([], undefined)).toEqual({ items: [], nextCursor: null });
    expect(positionOf(undefined, z.string())).toBeUndefined();
  });

  it.each(['', 'x', '!!!', Buffer.from('7').toString('base64url')])('refuses the cursor %j', (cursor) => {
    expect(() => positionOf(cursor, z.string())).toThrow('invalid_request');
  });

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
