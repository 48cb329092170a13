import { describe, expect, it } from '@jest/globals';
import { pageView } from '@mayfly/kernel';
import { z } from 'zod';
import { FilterCursor } from './filter-cursor.js';

const cursors = (list: string, filters: Record<string, string>) => new FilterCursor(list, filters, z.int());
const given = pageView([], cursors('entries', { agent: 'a' }).next(7)).nextCursor as string;

describe('a cursor under filters', () => {
  it('goes on where its page stopped', () => {
    expect(cursors('entries', { agent: 'a' }).read(given)).toBe(7);
  });

  it('is none for the first page and on the last one', () => {
    expect(cursors('entries', {}).read(undefined)).toBeUndefined();
    expect(cursors('entries', {}).next(undefined)).toBeUndefined();
  });

  it.each([
    ['another filter', 'entries', { agent: 'b' }],
    ['one filter more', 'entries', { agent: 'a', type: 'task.denied' }],
    ['no filter', 'entries', {}],
    ['another list', 'issuances', { agent: 'a' }],
  ])('is refused with %s', (_, list, filters) => {
    expect(() => cursors(list, filters).read(given)).toThrow('invalid_request');
  });

  it('does not mind a filter that was left out in another way', () => {
    const cursor = new FilterCursor('entries', { agent: 'a', type: undefined }, z.int());
    expect(cursor.read(given)).toBe(7);
  });
});
