import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { PageQuerySchema, pageView, positionOf } from './page.js';

describe('a page of a list', () => {
  it('a page of a list gives back the position that it gave out', () => {
    const { items, nextCursor } = pageView([{ name: 'a' }], ['a', 7]);
    expect(items).toEqual([{ name: 'a' }]);
    expect(positionOf(nextCursor as string, z.tuple([z.string(), z.number()]))).toEqual(['a', 7]);
  });

  it('a page of a list has no cursor on the last page, and needs none for the first', () => {
    expect(pageView([], undefined)).toEqual({ items: [], nextCursor: null });
    expect(positionOf(undefined, z.string())).toBeUndefined();
  });

  it.each(['', 'x', '!!!', Buffer.from('7').toString('base64url')])(
    'a page of a list refuses the cursor %j',
    (cursor) => {
      expect(() => positionOf(cursor, z.string())).toThrow('invalid_request');
    },
  );

  it.each([
    [{}, 50],
    [{ limit: '1' }, 1],
    [{ limit: '200' }, 200],
  ])('a page of a list reads %j as a limit of %i', (query, limit) => {
    expect(PageQuerySchema.parse(query).limit).toBe(limit);
  });

  it.each([{ limit: '0' }, { limit: '201' }, { limit: '1.5' }, { limit: 'x' }, { page: '2' }])(
    'a page of a list refuses %j',
    (query) => {
      expect(PageQuerySchema.safeParse(query).success).toBe(false);
    },
  );
});
