import { describe, expect, it } from '@jest/globals';
import { AwsScopeSchema } from './scope.schema.js';

const allow = { Effect: 'Allow', Action: 's3:GetObject', Resource: 'arn:aws:s3:::crm-export/reports/*' };
const scope = {
  roleArn: 'arn:aws:iam::123456789012:role/crm-export',
  policy: { Version: '2012-10-17', Statement: [allow] },
};
const withStatement = (...statements: object[]) => ({ ...scope, policy: { ...scope.policy, Statement: statements } });
const withCondition = (condition: object, more: object = {}) =>
  withStatement({ ...allow, ...more, Condition: condition });

describe('AwsScopeSchema', () => {
  it.each<[string, object]>([
    ['one thing in one bucket', scope],
    [
      'actions and resources as lists',
      withStatement({ ...allow, Action: ['s3:GetObject'], Resource: [allow.Resource] }),
    ],
    ['a denial of everything beside', withStatement(allow, { Effect: 'Deny', Action: '*', Resource: '*' })],
    ['a role with a path', { ...scope, roleArn: 'arn:aws:iam::123456789012:role/agents/crm' }],
    ['a prefix', withCondition({ StringLike: { 's3:prefix': ['reports/*'] } })],
    ['a network', withCondition({ IpAddress: { 'aws:SourceIp': ['10.0.0.0/8', '2001:db8::/32'] } })],
    ['a time in UTC', withCondition({ DateLessThan: { 'aws:CurrentTime': '2026-12-01T00:00:00Z' } })],
    ['a tag of the principal', withCondition({ StringEquals: { 'aws:PrincipalTag/team': 'crm' } })],
    ['an escaped star', withStatement({ ...allow, Resource: 'arn:aws:s3:::crm-export/${*}' })],
    ['taking one other role, said by its full name', withStatement({ ...allow, Action: 'sts:AssumeRole' })],
    ['looking at IAM', withStatement({ ...allow, Action: ['iam:GetRole', 'iam:ListRoles', 'iam:PassRole'] })],
    [
      'managed policies, tags and an external id',
      {
        ...scope,
        policyArns: ['arn:aws:iam::aws:policy/ReadOnlyAccess'],
        tags: { team: 'crm' },
        transitiveTagKeys: ['team', 'mayfly:task'],
        externalId: 'crm:7',
      },
    ],
  ])('AwsScopeSchema takes %s', (_, input) => {
    expect(AwsScopeSchema.safeParse(input).error).toBeUndefined();
  });

  it.each<[string, object]>([
    ['no policy at all', { roleArn: scope.roleArn }],
    ['no statement', withStatement()],
    ['a policy that allows nothing', withStatement({ Effect: 'Deny', Action: '*', Resource: '*' })],
    ['an empty action', withStatement({ ...allow, Action: [] })],
    ['an empty resource', withStatement({ ...allow, Resource: [] })],
    ['an empty condition', withCondition({})],
    ['an operator without keys', withCondition({ StringEquals: {} })],
    ['a key without values', withCondition({ StringEquals: { 's3:prefix': [] } })],
    ['another version', { ...scope, policy: { ...scope.policy, Version: '2008-10-17' } }],
    ['an unknown member of the policy', { ...scope, policy: { ...scope.policy, Id: 'x' } }],
    ['NotAction', withStatement({ Effect: 'Allow', NotAction: 'iam:*', Resource: '*' })],
    ['NotResource', withStatement({ Effect: 'Allow', Action: 's3:GetObject', NotResource: allow.Resource })],
    ['Principal', withStatement({ ...allow, Principal: '*' })],
    ['NotPrincipal', withStatement({ ...allow, NotPrincipal: '*' })],
    ['an effect in other letters', withStatement({ ...allow, Effect: 'allow' })],
    ['the same Sid twice', withStatement({ ...allow, Sid: 'a' }, { ...allow, Sid: 'a' })],
    ['an unknown member of the scope', { ...scope, durationSeconds: 900 }],
  ])('AwsScopeSchema refuses %s', (_, input) => {
    expect(AwsScopeSchema.safeParse(input).success).toBe(false);
  });

  it.each([
    '*',
    '*:*',
    's3:*',
    's3*:GetObject',
    'sts:*',
    'STS:*',
    'sts:Assume*',
    'sts:AssumeRol?',
    'sts:AssumeRoleWithSAML',
    'sts:a1',
    'st?:AssumeRole',
    'iam:*',
    'IAM:PutRolePolicy',
    'iam:Get*',
    'iam:AttachRolePolicy',
    'iam:DeleteRolePolicy',
    'iam:UpdateAssumeRolePolicy',
    'iam:CreateAccessKey',
    'GetObject',
    's3:Get Object',
    's3:',
  ])('AwsScopeSchema never allows `%s`', (action) => {
    expect(AwsScopeSchema.safeParse(withStatement({ ...allow, Action: action })).success).toBe(false);
    expect(AwsScopeSchema.safeParse(withStatement(allow, { ...allow, Action: ['s3:GetObject', action] })).success).toBe(
      false,
    );
  });

  it.each([
    ['no ARN', 'crm-export'],
    ['a service that is open', 'arn:aws:*:::crm-export'],
    ['a region that is open', 'arn:aws:dynamodb:*:123456789012:table/crm'],
    ['an account that is open', 'arn:aws:dynamodb:eu-central-1:*:table/crm'],
    ['an account of another length', 'arn:aws:dynamodb:eu-central-1:12345:table/crm'],
    ['another partition', 'arn:aws-cn:s3:::crm-export'],
    ['a partition that does not exist', 'arn:aws-moon:s3:::crm-export'],
    ['nothing after the account', 'arn:aws:s3:::'],
    ['a policy variable', 'arn:aws:s3:::crm-export/${aws:username}'],
    ['a line feed', 'arn:aws:s3:::crm-export/a\nb'],
    ['a letter that only looks like one', 'arn:aws:s3:::crm-export/\u0430'],
    ['NUL', 'arn:aws:s3:::crm-export/\0'],
  ])('AwsScopeSchema refuses as a resource %s', (_, resource) => {
    expect(AwsScopeSchema.safeParse(withStatement({ ...allow, Resource: resource })).success).toBe(false);
  });

  it.each<[string, object, object?]>([
    ['an operator that does not exist', { StringMatches: { 's3:prefix': 'a' } }],
    ['an operator in other letters', { stringequals: { 's3:prefix': 'a' } }],
    ['a key that nobody knows', { StringEquals: { 'aws:nosuchkey': 'a' } }],
    ['a key in other letters', { StringLike: { 'aws:UserId': '*:me' } }],
    ['a service nobody knows', { StringEquals: { 'foo:bar': 'a' } }],
    ['a tag without its key', { StringEquals: { 'aws:PrincipalTag/': 'a' } }],
    ['a time with an offset', { DateLessThan: { 'aws:CurrentTime': '2026-12-01T00:00:00+00:00' } }],
    ['a time that is none', { DateLessThan: { 'aws:CurrentTime': '2026-13-41T00:00:00Z' } }],
    ['a text operator on a time', { StringEquals: { 'aws:CurrentTime': '2026-12-01T00:00:00Z' } }],
    ['a network that is none', { IpAddress: { 'aws:SourceIp': '10.0.0.0/64' } }],
    ['a flag that is none', { Bool: { 'aws:SecureTransport': 'yes' } }],
    ['a variable', { StringEquals: { 's3:prefix': '${aws:username}' } }],
    ['what also matches without the key, in an Allow', { StringEqualsIfExists: { 's3:prefix': 'a' } }],
    ['ForAllValues in an Allow', { 'ForAllValues:StringEquals': { 'aws:TagKeys': ['a'] } }],
    ['Null with IfExists', { NullIfExists: { 's3:prefix': 'true' } }, { Effect: 'Deny' }],
  ])('AwsScopeSchema refuses as a condition %s', (...[, condition, more]) => {
    expect(AwsScopeSchema.safeParse(withCondition(condition, more)).success).toBe(false);
  });

  it('AwsScopeSchema says how AWS writes a condition key that is in other letters', () => {
    const { error } = AwsScopeSchema.safeParse(withCondition({ StringLike: { 'aws:UserId': '*:me' } }));
    expect(error?.issues[0]?.message).toBe('write the condition key `aws:UserId` as `aws:userid`');
  });

  it.each<[string, object]>([
    ['a role that is none', { roleArn: 'arn:aws:iam::123456789012:user/me' }],
    ['a role of an account that is open', { roleArn: 'arn:aws:iam::*:role/crm' }],
    [
      'eleven managed policies',
      { policyArns: Array.from({ length: 11 }, (_none, index) => `arn:aws:iam::aws:policy/p${String(index)}`) },
    ],
    ['a managed policy of another partition', { policyArns: ['arn:aws-cn:iam::aws:policy/p'] }],
    ['a tag of ours', { tags: { 'mayfly:agent': 'admin' } }],
    ['a tag of ours in other letters', { tags: { 'Mayfly:Agent': 'admin' } }],
    ['a tag of AWS', { tags: { 'aws:x': 'y' } }],
    ['tags that differ in case', { tags: { Team: 'a', team: 'b' } }],
    ['48 tags', { tags: Object.fromEntries(Array.from({ length: 48 }, (_none, index) => [`k${String(index)}`, 'v'])) }],
    ['a tag key that is too long', { tags: { ['k'.repeat(129)]: 'v' } }],
    ['a tag value that is too long', { tags: { k: 'v'.repeat(257) } }],
    ['a transitive key without its tag', { transitiveTagKeys: ['team'] }],
    ['an external id that is too short', { externalId: 'x' }],
    ['an external id with a space', { externalId: 'a b' }],
  ])('AwsScopeSchema refuses %s', (_, overrides) => {
    expect(AwsScopeSchema.safeParse({ ...scope, ...overrides }).success).toBe(false);
  });
});
