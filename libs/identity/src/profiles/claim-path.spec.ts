import { describe, expect, it } from '@jest/globals';
import { claimAt, isClaimPath } from './claim-path.js';

const claims = {
  roles: ['a'],
  realm_access: { roles: ['b'], 'x/y': { '~': 1 } },
  'realm_access.roles': 'dotted',
  '/realm_access/roles': 'self-chosen',
  'https://a.example/roles': 'c',
  list: [{ name: 'd' }],
  '': { '': 'empty' },
};

describe('claimAt', () => {
  it.each([
    ['roles', ['a']],
    ['/roles', ['a']],
    ['/realm_access/roles', ['b']],
    ['/realm_access/x~1y/~0', 1],
    ['realm_access.roles', 'dotted'],
    ['https://a.example/roles', 'c'],
    ['//', 'empty'],
    ['/list/0/name', undefined],
    ['/list/length', undefined],
    ['/roles/0', undefined],
    ['/nothing/roles', undefined],
    ['/constructor/name', undefined],
    ['__proto__', undefined],
    ['realm_access/roles', undefined],
  ])('claimAt finds %s: %j', (path, value) => {
    expect(claimAt(claims, path)).toEqual(value);
  });

  it.each([
    ['/a~b', false],
    ['/a~', false],
    ['/a~2', false],
    ['/a~01', true],
    ['a~b', true],
    ['/', true],
  ])('claimAt takes %s for a path: %s', (path, isPath) => {
    expect(isClaimPath(path)).toBe(isPath);
  });
});
