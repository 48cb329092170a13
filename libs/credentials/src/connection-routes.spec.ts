import { describe, expect, it } from '@jest/globals';
import { RoutesSchema } from './connection-routes.js';

const issuesOf = (routes: readonly object[]) =>
  (RoutesSchema.safeParse(routes).error?.issues ?? []).map(({ path }) => path.join('/'));
const route = (path: string, methods = ['GET'], operation = 'cases.read') => ({ operation, methods, path });

describe('the routes of a connection', () => {
  it.each(['/', '/cases', '/cases/', '/cases/{case}', '/v1/cases/{case}/notes', '/a.b/~c/d-e_f'])(
    'the routes of a connection may have the path %s',
    (path) => {
      expect(issuesOf([route(path)])).toEqual([]);
    },
  );

  it.each([
    '',
    'cases',
    '//',
    '/cases//',
    '/./a',
    '/a/..',
    '/a/../b',
    '/{}',
    '/{Case}',
    '/a{b}',
    '/a%2fb',
    '/a b',
    '/*',
    '/a?b',
  ])('the routes of a connection may not have the path `%s`', (path) => {
    expect(issuesOf([route(path)])).toEqual(['0/path']);
  });

  it.each([
    ['the same path', [route('/cases/{case}'), route('/cases/{id}', ['GET'], 'cases.write')]],
    ['a literal after the hole', [route('/cases/{case}'), route('/cases/search')]],
    ['some of its methods', [route('/cases', ['GET', 'POST']), route('/cases', ['POST'])]],
  ])('the routes of a connection may not have one that never matches: %s', (_name, routes) => {
    expect(issuesOf(routes)).toEqual(['1']);
  });

  it.each([
    ['a literal before the hole', [route('/cases/search'), route('/cases/{case}')]],
    ['a method more', [route('/cases', ['GET']), route('/cases', ['GET', 'POST'])]],
    ['another length', [route('/cases/{case}'), route('/cases/{case}/notes')]],
    ['a slash at the end', [route('/cases/{case}'), route('/cases/')]],
  ])('the routes of a connection may overlap: %s', (_name, routes) => {
    expect(issuesOf(routes)).toEqual([]);
  });
});
