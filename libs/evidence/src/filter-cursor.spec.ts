import { describe, expect, it } from '@jest/globals';
import { pageView } from '@mayfly/kernel';
import { z } from 'zod';
import { FilterCursor } from './filter-cursor.js';

const cursors = (list: string, filters: Record<string, string>) => new FilterCursor(list, filters, z.int());
const given = pageView([], cursors('entries', { agent: 'a' }).next(7)).nextCursor as string;

describe('a cursor under filters', () => {
  it('a cursor under filters continues where its page stopped', () => {
    expect(cursors('entries', { agent: 'a' }).read(given)).toBe(7);
  });

  it('there is no cursor before the first page and after the last one', () => {
    expect(cursors('entries', {}).read(undefined)).toBeUndefined();
    expect(cursors('entries', {}).next(undefined)).toBeUndefined();
  });

  it.each([
    ['another filter', 'entries', { agent: 'b' }],
    ['one filter more', 'entries', { agent: 'a', type: 'task.denied' }],
    ['no filter', 'entries', {}],
    ['another list', 'issuances', { agent: 'a' }],
  ])('a cursor under filters is refused with %s', (_, list, filters) => {
    expect(() => cursors(list, filters).read(given)).toThrow('invalid_request');
  });

  it('a cursor ignores how an empty filter was left out', () => {
    const cursor = new FilterCursor('entries', { agent: 'a', type: undefined }, z.int());
    expect(cursor.read(given)).toBe(7);
  });
});
