import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { faultText, schemaFault } from './schema-fault.js';

const text = z.string().refine((value) => value !== 'no', 'say yes');
const oneOrMore = z.union([text, z.array(text).min(1)]);
const statement = z.strictObject({ action: oneOrMore });
const schema = z.strictObject({ statements: z.union([statement, z.array(statement)]) });
const said = (value: unknown): string | undefined => {
  const fault = schemaFault(schema, value);
  return fault === undefined ? undefined : faultText(fault);
};

describe('schemaFault', () => {
  it.each<[string, unknown, string | undefined]>([
    ['nothing against what fits', { statements: { action: ['yes'] } }, undefined],
    ['the reason of the member that is meant, for one', { statements: { action: 'no' } }, 'statements.action: say yes'],
    ['it for one in a list', { statements: [{ action: 'no' }] }, 'statements.0.action: say yes'],
    ['it for a list in a list', { statements: [{ action: ['yes', 'no'] }] }, 'statements.0.action.1: say yes'],
    ['what is too much', { statements: { action: 'yes', or: 1 } }, 'statements: unrecognized key: `or`'],
    ['what is not there', {}, 'statements: invalid input: expected object, received undefined'],
    [
      'another type',
      { statements: { action: 7 } },
      'statements.action: invalid input: expected string, received number',
    ],
    ['what is no object', 7, 'invalid input: expected object, received number'],
  ])('schemaFault says %s', (_, value, detail) => {
    expect(said(value)).toBe(detail);
  });
});
