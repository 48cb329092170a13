import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { validationProblem } from './validation-problem.js';

const Order = z.strictObject({
  template: z.string().min(1),
  ttlSeconds: z.int().positive().optional(),
  grants: z.array(z.strictObject({ 'a/b~c': z.enum(['select', 'insert']) })).optional(),
});

function problemOf(body: unknown) {
  return validationProblem(Order.safeParse(body).error?.issues ?? []);
}

describe('validationProblem', () => {
  it.each([
    [{}, '/template', 'expected string, and it is missing'],
    [{ template: 7 }, '/template', 'expected string, received number'],
    [{ template: '' }, '/template', 'too small: expected string to have >=1 characters'],
    [{ template: 'a', ttlSeconds: 1.5 }, '/ttlSeconds', 'expected int, received number'],
    [{ template: 'a', tll: 1 }, '/tll', 'unknown field; leave it out'],
    [{ template: 'a', grants: [{ 'a/b~c': 'drop' }] }, '/grants/0/a~1b~0c', 'expected one of "select"|"insert"'],
  ])('validationProblem says which field of %j to change, and how', (body, pointer, detail) => {
    const problem = problemOf(body);
    expect(problem.code).toBe('invalid_request');
    expect(problem.extensions.errors).toEqual([{ pointer, detail }]);
    expect(problem.detail).toBe(`change \`${pointer}\`: ${detail}`);
  });

  it('validationProblem speaks of the request when the whole of it has the wrong type', () => {
    expect(problemOf([]).detail).toBe('change the request: expected object, received array');
  });

  it('validationProblem lists every wrong field and counts those that the detail leaves out', () => {
    const problem = problemOf({ template: 1, ttlSeconds: 'x', more: 1 });
    expect(problem.extensions.errors?.map((error) => error.pointer)).toEqual(['/template', '/ttlSeconds', '/more']);
    expect(problem.detail).toContain(', and 2 more in `errors`');
  });

  it('validationProblem stays short however much is wrong', () => {
    const unknown = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`field${String(i)}`, 1]));
    const long = 'x'.repeat(60_000);
    const problem = problemOf({ template: 'a', [long]: 1, ...unknown });
    expect(problem.extensions.errors).toHaveLength(20);
    expect(JSON.stringify(problem.extensions).length).toBeLessThan(4000);
  });

  it('validationProblem never repeats a value that was sent', () => {
    const problem = problemOf({ template: 'a', ttlSeconds: 'canary', grants: [{ 'a/b~c': 'canary' }] });
    expect(JSON.stringify(problem.extensions) + problem.detail).not.toContain('canary');
  });

  it('validationProblem understands path segments given as objects', () => {
    const problem = validationProblem([{ message: 'Too long.', path: [{ key: 'a' }, 0] }]);
    expect(problem.extensions.errors).toEqual([{ pointer: '/a/0', detail: 'too long' }]);
  });

  it('validationProblem has something to say when a schema gives no reason', () => {
    expect(validationProblem([]).detail).toBe(
      'the request does not have the documented shape; compare it with `/openapi.json`',
    );
  });
});
