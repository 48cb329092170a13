import { describe, expect, it } from '@jest/globals';
import { readTarget, type RequestTarget } from './request-target.js';
import { RouteTable } from './route-table.js';

const table = new RouteTable([
  { operation: 'cases.search', methods: ['GET'], path: '/cases/search', query: ['text', 'limit'] },
  { operation: 'cases.read', methods: ['GET', 'HEAD'], path: '/cases/{case}' },
  { operation: 'cases.note', methods: ['POST'], path: '/cases/{case}/notes' },
  { operation: 'cases.list', methods: ['GET'], path: '/cases/' },
  { operation: 'root', methods: ['GET'], path: '/' },
]);
const ask = (method: string, raw: string) => table.operationOf(readTarget(method, raw) as RequestTarget);

describe('a table of routes', () => {
  it.each([
    ['GET', '/cases/search', 'cases.search'],
    ['GET', '/cases/search?limit=5&text=a', 'cases.search'],
    ['GET', '/cases/17', 'cases.read'],
    ['GET', '/cases/%73earch', 'cases.search'],
    ['HEAD', '/cases/search', 'cases.read'],
    ['POST', '/cases/17/notes', 'cases.note'],
    ['GET', '/cases/', 'cases.list'],
    ['GET', '/', 'root'],
  ])('a table of routes names the operation of %s %s: %s', (method, raw, operation) => {
    expect(ask(method, raw)).toEqual({ operation });
  });

  it.each([
    ['GET', '/cases'],
    ['GET', '/Cases/17'],
    ['POST', '/cases/17'],
    ['DELETE', '/cases/17'],
    ['GET', '/cases/17/'],
    ['GET', '/cases/17/notes'],
    ['POST', '/cases/17/notes/1'],
    ['GET', '/cases/17?expand=all'],
    ['GET', '/cases/search?Limit=5'],
  ])('a table of routes names no operation for %s %s', (method, raw) => {
    expect(ask(method, raw)).toEqual({ fault: expect.any(String) });
  });

  it('a table of routes without routes names nothing', () => {
    expect(new RouteTable([]).operationOf(readTarget('GET', '/') as RequestTarget)).toEqual({
      fault: expect.any(String),
    });
  });
});
