import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { pageView, positionOf } from './page-cursor.js';

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
});
