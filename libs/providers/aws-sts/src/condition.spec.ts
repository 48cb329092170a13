import { describe, expect, it } from '@jest/globals';
import { schemaFault } from '@mayfly/credentials';
import type { JsonObject } from '@mayfly/kernel';
import fc from 'fast-check';
import { readAwsScope } from './read-scope.js';
import { AwsScopeSchema } from './scope.schema.js';

const roleArn = 'arn:aws:iam::123456789012:role/crm';
const allow = (Action: string, Resource: string): JsonObject => ({ Effect: 'Allow', Action, Resource });

describe('a condition key', () => {
  const faultOf = (Condition: JsonObject, Action = 'ec2:StartInstances', Effect = 'Allow'): string | undefined => {
    const statements = [{ ...allow(Action, 'arn:aws:ec2:eu-central-1:123456789012:instance/i-1'), Condition, Effect }];
    const policy = { Version: '2012-10-17', Statement: [...statements, allow('s3:GetObject', 'arn:aws:s3:::b/k')] };
    return schemaFault(AwsScopeSchema, { roleArn, policy })?.detail;
  };

  it.each([
    ['aws:SourceIP', 'aws:SourceIp'],
    ['aws:PrincipalOrgId', 'aws:PrincipalOrgID'],
    ['aws:RequestedRegoin', 'aws:RequestedRegion'],
    ['aws:ResourceTags/team', 'aws:ResourceTag/team'],
    ['ec2:resourcetag/team', 'ec2:ResourceTag/team'],
    ['ec2:InstanceTypes', 'ec2:InstanceType'],
  ])('a condition key `%s` is refused, and `%s` suggested', (key, suggestion) => {
    expect(faultOf({ StringEquals: { [key]: 'a' } })).toBe(`write the condition key \`${key}\` as \`${suggestion}\``);
  });

  it.each<[string, JsonObject, string, string, string]>([
    [
      'a global key that nobody knows',
      { StringEquals: { 'aws:moonPhase': 'full' } },
      'ec2:StartInstances',
      'Allow',
      'not a condition key of AWS',
    ],
    [
      'a key of another service',
      { StringEquals: { 'glue:NewKey': 'a' } },
      'ec2:StartInstances',
      'Allow',
      'condition key of `glue`',
    ],
    [
      'an unlisted key in a denial',
      { StringEquals: { 'ec2:NewKey': 'a' } },
      'ec2:StartInstances',
      'Deny',
      'would have no effect',
    ],
    [
      'an unlisted key that others pass',
      { StringNotEquals: { 'ec2:NewKey': 'a' } },
      'ec2:StartInstances',
      'Allow',
      'would have no effect',
    ],
    [
      'an unlisted key that may lack',
      { Null: { 'ec2:NewKey': true } },
      'ec2:StartInstances',
      'Allow',
      'would have no effect',
    ],
    ['a flag that is none', { Bool: { 'aws:SecureTransport': 1 } }, 'ec2:StartInstances', 'Allow', '`true` or `false`'],
    [
      'a flag as a number',
      { NumericEquals: { 'ec2:VolumeSize': true } },
      'ec2:StartInstances',
      'Allow',
      'takes a number',
    ],
    [
      'a time in seconds',
      { DateLessThan: { 'aws:CurrentTime': 1893456000 } },
      'ec2:StartInstances',
      'Allow',
      'a time in UTC',
    ],
    [
      'an account that lost its 0',
      { StringEquals: { 'aws:ResourceAccount': 12345678901 } },
      'ec2:StartInstances',
      'Allow',
      '12 digits',
    ],
  ])('a condition key is refused with its reason: %s', (_, condition, action, effect, part) => {
    expect(faultOf(condition, action, effect)).toContain(part);
  });

  it.each<[string, JsonObject, string]>([
    ['of the service, in a denial', { StringNotEquals: { 'ec2:Region': 'eu-central-1' } }, 'Deny'],
    ['of the service, on no list', { StringLike: { 'ec2:NewKey': 'a' } }, 'Allow'],
    ['on no list, that has to be there', { Null: { 'ec2:NewKey': false } }, 'Allow'],
    ['of an account, as a number', { StringEquals: { 'aws:ResourceAccount': 123456789012 } }, 'Allow'],
  ])('a condition key is taken: %s', (_, condition, effect) => {
    expect(faultOf(condition, 'EC2:startinstances', effect)).toBeUndefined();
  });
});

describe('a scope of any form', () => {
  it('a scope of any form is taken or refused with a reason, and never breaks what reads it', () => {
    const anything = fc.oneof(
      fc.constantFrom(true, 7, 1e21, '*', '${aws:x}', 'arn:aws:s3:::b', 's3:GetObject'),
      fc.jsonValue(),
    );
    const some = fc.oneof(anything, fc.array(anything, { maxLength: 2 }));
    const operators = fc.constantFrom(
      'Bool',
      'IpAddress',
      'DateLessThan',
      'NumericEquals',
      'ArnLike',
      'Null',
      'StringEquals',
    );
    const keys = fc.constantFrom('aws:SourceIp', 'aws:SecureTransport', 's3:NewKey', 'iam:PassedToService', 'x');
    const statement = fc.record(
      {
        Effect: fc.constantFrom('Allow', 'Deny', 'allow'),
        Action: fc.oneof(fc.constantFrom('s3:GetObject', 'iam:PassRole', '*'), some),
        Resource: fc.oneof(fc.constantFrom('*', 'arn:aws:s3:::b'), some),
        Condition: fc.dictionary(operators, fc.oneof(fc.dictionary(keys, some), anything), { maxKeys: 2 }),
      },
      { requiredKeys: ['Effect', 'Action', 'Resource'] },
    );
    const Statement = fc.oneof(statement, fc.array(fc.oneof(statement, anything), { maxLength: 2 }));
    fc.assert(
      fc.property(Statement, (statements) => {
        const scope = { roleArn, policy: { Version: '2012-10-17', Statement: statements } };
        const read = AwsScopeSchema.safeParse(scope);
        expect(read.success).toBe(schemaFault(AwsScopeSchema, scope) === undefined);
        expect(Array.isArray(readAwsScope(scope as never))).toBe(true);
        if (read.success) expect(AwsScopeSchema.parse(read.data)).toEqual(read.data);
      }),
      { numRuns: 500 },
    );
  });
});
