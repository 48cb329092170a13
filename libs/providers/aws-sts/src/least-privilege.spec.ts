import { describe, expect, it } from '@jest/globals';
import { lintFactsOf } from '@mayfly/declarations';
import type { Json, JsonObject } from '@mayfly/kernel';
import { CompiledTemplate, lintTemplate, type TaskTemplateSpec } from '@mayfly/templates';
import { AwsStsProvider, type AwsStsParts } from './aws-sts.provider.js';
import { AwsScopeSchema } from './scope.schema.js';

const provider = new AwsStsProvider({ clock: { now: () => new Date(0) }, allowPlainHttp: false } as AwsStsParts);
const connection = {
  name: 'aws',
  spec: { provider: 'aws-sts', config: { region: 'eu-central-1', auth: { method: 'default-chain' } } },
};
const facts = lintFactsOf([provider], [connection]);
const ROLE = 'arn:aws:iam::123456789012:role/crm';
const OBJECTS = 'arn:aws:s3:::crm/*';

const specOf = (Statement: Json, properties: JsonObject = {}): TaskTemplateSpec => ({
  description: 'What a task may do.',
  owner: 'crm-platform',
  backupOwner: 'cloud-platform',
  review: { by: 'security', everyDays: 90 },
  requesters: { agents: { duty: 'support' }, runtimes: ['cluster'] },
  parameters: {
    type: 'object',
    properties,
    required: Object.keys(properties),
    additionalProperties: false,
  } as TaskTemplateSpec['parameters'],
  lifetime: { defaultSeconds: 900, maxSeconds: 1800 },
  quota: { tasksPerMinute: 10, concurrentTasks: 10 },
  credentials: [
    {
      name: 'bucket',
      provider: 'aws-sts',
      connection: 'aws',
      scope: { roleArn: ROLE, policy: { Version: '2012-10-17', Statement } } as TaskTemplateSpec['parameters'],
    },
  ],
});
const PLACE = '/credentials/0/scope/policy/Statement';
const findings = (Statement: Json, properties?: JsonObject) => lintTemplate(specOf(Statement, properties), facts);
const rules = (Statement: Json, properties?: JsonObject) =>
  findings(Statement, properties).map(({ rule, pointer }) => `${rule} ${pointer.replace(PLACE, '')}`);
const allow = (Action: Json, Resource: Json = '*', Condition?: JsonObject): JsonObject => ({
  Effect: 'Allow',
  Action,
  Resource,
  ...(Condition === undefined ? {} : { Condition }),
});

describe('least privilege that AWS knows no narrower form of', () => {
  it.each<[string, JsonObject]>([
    ['a token of a registry', allow('ecr:GetAuthorizationToken')],
    [
      'metrics of one namespace',
      allow('cloudwatch:PutMetricData', '*', { StringEquals: { 'cloudwatch:namespace': 'App' } }),
    ],
    ['metrics', allow('cloudwatch:PutMetricData')],
    ['instances', allow('ec2:DescribeInstances')],
    ['all that describes at EC2', allow('ec2:Describe*')],
    ['a part of it', allow(['ec2:DescribeInst*', 'tag:GetResources'])],
    ['who the caller is', allow(['sts:GetCallerIdentity', 'logs:DescribeLogGroups'])],
    ['it in other letters, since names have none at AWS', allow('ECR:getauthorizationtoken')],
    ['it in a list', allow(['ecr:GetAuthorizationToken'], ['*'])],
    ['a log group', allow('logs:PutLogEvents', 'arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/fn:*')],
    ['its streams', allow('logs:PutLogEvents', 'arn:aws:logs:eu-central-1:123456789012:log-group:a:log-stream:*')],
    [
      'a secret',
      allow('secretsmanager:GetSecretValue', 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-??????'),
    ],
    [
      'a role for one service',
      allow('iam:PassRole', ROLE, { StringEquals: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' } }),
    ],
    ['a flag as JSON has it', allow('s3:GetObject', 'arn:aws:s3:::b/k', { Bool: { 'aws:SecureTransport': true } })],
    ['a number as JSON has it', allow('s3:ListBucket', 'arn:aws:s3:::b', { NumericLessThan: { 's3:max-keys': 10 } })],
    [
      'a key of the service that is on no list',
      allow('ec2:DescribeInstances', '*', { StringEquals: { 'ec2:NewKey/of': 'a' } }),
    ],
  ])('the narrowest form that AWS knows is published without a finding: %s', (_, statement) => {
    expect(findings([statement])).toEqual([]);
    expect(findings(statement)).toEqual([]);
  });

  it('the narrowest form is read as IAM reads it: values as texts, one statement as a list of one', () => {
    const Condition = { Bool: { 'aws:SecureTransport': true }, NumericLessThan: { 's3:max-keys': [10, 2.5] } };
    const policy = { Version: '2012-10-17', Statement: allow('s3:ListBucket', 'arn:aws:s3:::b', Condition) };
    expect(AwsScopeSchema.parse({ roleArn: ROLE, policy }).policy.Statement).toMatchObject([
      { Condition: { Bool: { 'aws:SecureTransport': 'true' }, NumericLessThan: { 's3:max-keys': ['10', '2.5'] } } },
    ]);
  });

  it('a wildcard below one named resource is a warning where AWS writes colons', () => {
    const executions = 'arn:aws:states:eu-central-1:123456789012:execution:nightly:*';
    expect(rules([allow('states:StopExecution', executions)])).toEqual(['MF208 /0/Resource']);
  });
});

describe('a wildcard that stands for more', () => {
  it.each<[string, JsonObject, string[]]>([
    ['an action on things', allow('s3:GetObject'), ['MF207 /0/Resource']],
    [
      'such an action beside one that knows none',
      allow(['ecr:GetAuthorizationToken', 's3:GetObject']),
      ['MF207 /0/Resource'],
    ],
    ['everything beside a thing', allow('s3:GetObject', ['arn:aws:s3:::b/k', '*']), ['MF207 /0/Resource/1']],
    ['a member of a family that knows things', allow('ec2:DescribeInstanceAttribute'), ['MF207 /0/Resource']],
    [
      'a change',
      allow('ec2:TerminateInstances', '*', { StringEquals: { 'ec2:ResourceTag/a': 'b' } }),
      ['MF207 /0/Resource'],
    ],
    ['a family that is wider', allow('ec2:Desc*', OBJECTS), ['MF207 /0/Action', 'MF208 /0/Resource']],
    ['a family with a hole in it', allow('ec2:Describe*s'), ['MF207 /0/Action', 'MF207 /0/Resource']],
    ['a family with a question mark', allow('ec2:Describe?nstances'), ['MF207 /0/Action', 'MF207 /0/Resource']],
    ['a family that reads things', allow('s3:Get*', OBJECTS), ['MF207 /0/Action', 'MF208 /0/Resource']],
    [
      'every log group',
      allow('logs:PutLogEvents', 'arn:aws:logs:eu-central-1:123456789012:log-group:*'),
      ['MF207 /0/Resource'],
    ],
    [
      'log groups by a part',
      allow('logs:PutLogEvents', 'arn:aws:logs:eu-central-1:123456789012:log-group:a*:*'),
      ['MF207 /0/Resource'],
    ],
    [
      'every function',
      allow('lambda:InvokeFunction', 'arn:aws:lambda:eu-central-1:123456789012:function:*'),
      ['MF207 /0/Resource'],
    ],
    [
      'secrets by a part',
      allow('secretsmanager:GetSecretValue', 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-*'),
      ['MF207 /0/Resource'],
    ],
    ['a denial', { Effect: 'Deny', Action: 's3:DeleteObject', Resource: '*' }, ['MF207 /0/Resource']],
  ])('a wildcard that matches too much is refused: %s', (_, statement, expected) => {
    expect(rules([statement, allow('s3:GetObject', 'arn:aws:s3:::b/k')])).toEqual(expected);
  });

  it('the refusal of a wide wildcard names the change', () => {
    const [found] = findings([allow('s3:GetObject')]);
    expect(found?.detail).toBe(
      '`*` is for actions without a resource in AWS, and `s3:GetObject` is not listed as one (docs/connect-aws.md); name its ' +
        'resource as an ARN, at the widest a kind of resource such as `…/*` narrowed by a condition such as `aws:ResourceTag/team`',
    );
    const instances = 'arn:aws:ec2:eu-central-1:123456789012:instance/*';
    const tagged = { StringEquals: { 'aws:ResourceTag/team': 'crm' } };
    expect(rules([allow('ec2:RebootInstances', instances, tagged)])).toEqual(['MF208 /0/Resource']);
  });

  it('a wide wildcard is refused at a request as well, when only some of many listed values give it', () => {
    const scope = (Action: string) => ({ policy: { Statement: [allow(Action)] } });
    expect(provider.authoring.readScope(scope('s3:GetObject')).map(({ kind }) => kind)).toEqual(['too-wide']);
    expect(provider.authoring.readScope(scope('ecr:GetAuthorizationToken')).map(({ kind }) => kind)).toEqual([
      'narrowest',
    ]);
  });
});

describe('iam:PassRole', () => {
  it.each<[string, JsonObject | undefined]>([
    ['without a condition', undefined],
    ['with another one', { StringEquals: { 'aws:RequestedRegion': 'eu-central-1' } }],
    ['for all services but one', { StringNotEquals: { 'iam:PassedToService': 'ec2.amazonaws.com' } }],
    ['with a service or none', { Null: { 'iam:PassedToService': 'false' } }],
  ])('iam:PassRole with %s gives a warning, in any letter case', (_, Condition) => {
    expect(rules([allow('iam:PassRole', ROLE, Condition)])).toEqual(['MF212 /0/Action']);
    expect(rules([allow(['s3:GetObject', 'IAM:passrole'], [ROLE], Condition)])).toEqual(['MF212 /0/Action/1']);
  });

  it('iam:PassRole on everything is refused', () => {
    expect(rules([allow('iam:PassRole')])).toEqual(['MF207 /0/Resource', 'MF212 /0/Action']);
  });
});

describe('a hole that a caller fills freely', () => {
  const free: JsonObject = { p: { type: 'string', maxLength: 64 } };
  const hole: Json = { $param: 'p' };
  it.each<[string, Json, string]>([
    ['an action on everything', allow(hole), 'MF211 /Action'],
    ['the end of an action on everything', allow({ $join: ['ec2:', hole] }), 'MF211 /Action'],
    ['the effect', { ...allow('ecr:GetAuthorizationToken'), Effect: hole }, 'MF211 /Effect'],
    ['what a denial is about', { ...allow('s3:GetObject', hole), Effect: 'Deny' }, 'MF211 /Resource'],
    ['a flag', allow('s3:GetObject', OBJECTS, { Bool: { 'aws:SecureTransport': hole } }), 'MF211 /Condition/Bool'],
    [
      'a flag in a list',
      allow('s3:GetObject', OBJECTS, { Bool: { 'aws:SecureTransport': [hole] } }),
      'MF211 /Condition/Bool',
    ],
    [
      'whether a key is there',
      allow('s3:GetObject', OBJECTS, { Null: { 's3:prefix': hole } }),
      'MF211 /Condition/Null',
    ],
  ])(
    'a hole that a caller fills freely never stands for %s, in one statement or in a list',
    (_, statement, expected) => {
      expect(rules(statement, free)).toContain(expected);
      expect(rules([statement], free)).toContain(expected.replace(' /', ' /0/'));
    },
  );

  it('a hole that a caller fills freely cannot be a boolean', () => {
    const flag = { Bool: { 'aws:SecureTransport': hole } };
    expect(rules(allow('s3:GetObject', OBJECTS, flag), { p: { type: 'boolean' } })).toEqual([
      'MF203 /Condition/Bool/aws:SecureTransport',
    ]);
  });

  it.each<[string, Json]>([
    ['as the resource', allow('ecr:GetAuthorizationToken', hole)],
    ['as an ARN', allow('s3:GetObject', { $join: ['arn:aws:s3:::', hole] })],
    [
      'as a log group',
      allow('logs:PutLogEvents', { $join: ['arn:aws:logs:eu-central-1:123456789012:log-group:', hole, ':*'] }),
    ],
    ['as the value of a condition', allow('s3:ListBucket', 'arn:aws:s3:::b', { StringLike: { 's3:prefix': hole } })],
  ])('a hole that a caller fills freely is never a wildcard %s', (_, statement) => {
    const spec = specOf(statement, free);
    const template = new CompiledTemplate({ name: 't', version: 1, spec, digest: 'd', labels: {} });
    for (const p of ['*', '?', 'a*', 'a:*', '${*}', '${aws:username}', 'a/*', 'a:log-stream:*']) {
      expect(() => template.renderScopes(template.validate({ p }))).toThrow('does not fit its place in the scope');
    }
  });

  it('a hole that a caller fills freely is listed where the author wants a wildcard to choose, and each choice is judged', () => {
    const chosen = (...actions: string[]) => rules(allow({ $param: 'p' }), { p: { enum: actions } });
    expect(chosen('ecr:GetAuthorizationToken', 'ec2:Describe*')).toEqual([]);
    expect(chosen('ecr:GetAuthorizationToken', 's3:GetObject')).toEqual(['MF207 /Resource']);
    const resources = { p: { enum: ['*', 'arn:aws:s3:::b/k'] } };
    expect(rules(allow('s3:GetObject', { $param: 'p' }), resources)).toEqual(['MF207 /Resource']);
  });
});
