import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { answerPage, PageQuerySchema } from './page.js';

describe('a page of a list', () => {
  it.each([
    [{}, 50],
    [{ limit: '1' }, 1],
    [{ limit: '200' }, 200],
  ])('a page query reads %j as a limit of %i', (query, limit) => {
    expect(PageQuerySchema.parse(query).limit).toBe(limit);
  });

  it.each([{ limit: '0' }, { limit: '201' }, { limit: '1.5' }, { limit: 'x' }, { page: '2' }])(
    'a page query refuses %j',
    (query) => {
      expect(PageQuerySchema.safeParse(query).success).toBe(false);
    },
  );
});

describe('an answer with a page', () => {
  const form = { position: z.string(), view: (name: string) => ({ name }) };

  it('a page has the views of the items, and a cursor that reads on after them', async () => {
    const first = await answerPage({ limit: 1 }, form, async ({ limit, after }) => {
      expect([limit, after]).toEqual([1, undefined]);
      return { items: ['a'], next: 'a' };
    });
    expect(first.items).toEqual([{ name: 'a' }]);
    const last = await answerPage({ limit: 1, cursor: first.nextCursor as string }, form, async ({ after }) => ({
      items: [`after ${String(after)}`],
    }));
    expect(last).toEqual({ items: [{ name: 'after a' }], nextCursor: null });
  });
});
