import { describe, expect, it } from '@jest/globals';
import { RouteMethods } from './route-methods.js';

describe('the methods of an address', () => {
  const methods = new RouteMethods();
  methods.add('GET', '/tasks/:id');
  methods.add(['DELETE', 'GET'], '/tasks/:id');
  methods.add('POST', '/tasks/:id/complete');
  methods.add('GET', '/docs/*');
  methods.add('GET', '/.well-known/jwks.json');

  it.each([
    ['/tasks/tsk_1', ['DELETE', 'GET']],
    ['/tasks/tsk_1?dryRun=true', ['DELETE', 'GET']],
    ['/tasks/tsk_1/complete', ['POST']],
    ['/docs/page.js', ['GET']],
    ['/.well-known/jwks.json', ['GET']],
    ['/-well-known/jwks.json', []],
    ['/tasks', []],
    ['/tasks/', []],
    ['/tasks/tsk_1/other', []],
  ])('the methods of the address %s are %p', (target, expected) => {
    expect(methods.at(target)).toEqual(expected);
  });
});
