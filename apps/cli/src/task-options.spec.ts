import { Command } from 'commander';
import { describe, expect, it } from '@jest/globals';
import { taskRequest, withTaskOptions, type TaskOptions } from './task-options.js';

function read(...args: string[]) {
  const command = withTaskOptions(new Command())
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  return taskRequest(command.parse(args, { from: 'user' }).opts<TaskOptions>(), 'run psql');
}

describe('a request by options', () => {
  it('a request by options has text parameters, parameters of any type, and a purpose of its own', () => {
    expect(read('-t', 'x', '-p', 'region=emea', '--param', 'q=a=b', '--params-json', '{"limit":5}')).toEqual({
      template: 'x',
      parameters: { limit: 5, region: 'emea', q: 'a=b' },
      purpose: 'run psql',
    });
    expect(read('--template', 'x', '--purpose', 'ticket 4711', '--ttl', '60')).toEqual({
      template: 'x',
      parameters: {},
      purpose: 'ticket 4711',
      ttlSeconds: 60,
    });
  });

  it('a request by options takes the name of a JavaScript built-in as a parameter name', () => {
    expect(Object.keys(read('-t', 'x', '-p', '__proto__=1').parameters ?? {})).toEqual(['__proto__']);
  });

  it.each([
    [['-p', 'region'], 'name=value'],
    [['-p', '=emea'], 'name=value'],
    [['-p', 'a=1', '-p', 'a=2'], 'given twice'],
    [['-p', 'a=1', '--params-json', '{"a":2}'], 'given twice'],
    [['--params-json', '[1]'], 'not a JSON object'],
    [['--params-json', '{'], 'not a JSON object'],
    [['--ttl', '0'], '1 to 43200'],
    [['--ttl', '1e3'], '1 to 43200'],
    [['--ttl', '99999'], '1 to 43200'],
  ])('a request by options is refused with %j', (args, reason) => {
    expect(() => read('-t', 'x', ...args)).toThrow(reason);
  });

  it('a request by options needs a template', () => {
    expect(() => read('-p', 'a=1')).toThrow('--template');
  });
});
