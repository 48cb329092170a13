import { describe, expect, it } from '@jest/globals';
import { lintFactsOf } from '@mayfly/declarations';
import type { Json } from '@mayfly/kernel';
import { lintTemplate, type TaskTemplateSpec } from '@mayfly/templates';
import { AwsStsProvider } from './aws-sts.provider.js';

const parameters = {
  type: 'object',
  properties: {
    free: { type: 'string', maxLength: 12 },
    number: { type: 'integer', minimum: 0, maximum: 999_999_999_999 },
    region: { enum: ['eu-central-1', 'eu-west-1'] },
    account: { enum: ['123456789012', '210987654321'] },
    bucket: { enum: ['arn:aws:s3:::one', 'arn:aws:s3:::two'] },
    effect: { enum: ['Allow', 'Deny'] },
    start: { enum: ['arn:aws:iam', 'none'] },
  },
  required: ['effect', 'free', 'number', 'region', 'account', 'bucket', 'start'],
  additionalProperties: false,
};
const param = (name: string): Json => ({ $param: name });
const facts = lintFactsOf([new AwsStsProvider({ allowPlainHttp: false } as never)], []);
const PLACE = '/credentials/0/scope';
/** MF210 and MF211 alone, of a credential of this provider. */
const rulesOf = (scope: Json, provider = 'aws-sts'): string[] => {
  const spec = {
    ...{ description: 'exports of the CRM', owner: 'crm', backupOwner: 'crm-platform', parameters },
    ...{ review: { by: 'security', everyDays: 90 }, requesters: { agents: {}, runtimes: ['cluster'] } },
    lifetime: { defaultSeconds: 900, maxSeconds: 3600 },
    quota: { tasksPerMinute: 10, concurrentTasks: 5 },
    credentials: [{ name: 'aws', provider, connection: 'aws', scope }],
  } as TaskTemplateSpec;
  return lintTemplate(spec, facts)
    .filter(({ rule }) => rule === 'MF210' || rule === 'MF211')
    .map(({ rule, pointer }) => `${rule} ${pointer.slice(PLACE.length)}`);
};

describe('a hole in an ARN', () => {
  it.each<[string, Json[]]>([
    ['the partition', ['arn:', param('free'), ':s3:::crm']],
    ['the service', ['arn:aws:', param('free'), ':::crm']],
    ['the region, freely', ['arn:aws:sqs:', param('free'), ':123456789012:crm']],
    ['the account', ['arn:aws:iam::', param('free'), ':role/crm']],
    ['the account, as a number', ['arn:aws:iam::', param('number'), ':role/crm']],
    ['the account, from a list', ['arn:aws:iam::', param('account'), ':role/crm']],
    ['the account behind a listed region', ['arn:aws:sqs:', param('region'), ':', param('free'), ':crm']],
    ['the account behind a listed beginning', [param('start'), '::', param('free'), ':role/crm']],
  ])('a hole in an ARN may not reach into %s', (_, $join) => {
    expect(rulesOf({ a: [{ $join }] })).toEqual(['MF210 /a/0']);
  });

  it.each<[string, Json[]]>([
    ['in the resource', ['arn:aws:s3:::crm/', param('free'), '/*']],
    ['in the region, from a list', ['arn:aws:sqs:', param('region'), ':123456789012:crm']],
    ['behind a listed ARN', [param('bucket'), '/', param('free')]],
    ['of what is no ARN', ['repo:', param('free'), ':write']],
  ])('a hole in an ARN is allowed %s', (_, $join) => {
    expect(rulesOf({ a: { $join } })).toEqual([]);
  });

  it('the finding on a hole in an ARN names the parameter and the part', () => {
    const parts = [
      'arn:aws:iam::',
      { kind: 'hole', parameter: 'team', rule: { kind: 'free', type: 'string' } } as const,
    ];
    expect(new AwsStsProvider({} as never).authoring.faultsOfText(parts)).toEqual([
      '`team` reaches into the account of an ARN; write the account out',
    ]);
  });

  it('a hole in an ARN is refused in the scope of another provider as well', () => {
    expect(rulesOf({ a: { $join: ['arn:aws:iam::', param('free'), ':role/crm'] } }, 'signed-token')).toEqual([
      'MF210 /a',
    ]);
  });
});

describe("what is the author's in a policy", () => {
  it('all of a denial is reserved for the author, also when a caller can make it one, and when one statement stands without a list', () => {
    const statement = (Effect: Json): Json => ({
      Statement: { Effect, Action: 's3:GetObject', Resource: { $join: ['arn:aws:s3:::crm/', param('free')] } },
    });
    expect(rulesOf(statement('Deny'))).toEqual(['MF211 /Statement/Resource']);
    expect(rulesOf(statement(param('effect')))).toEqual(['MF211 /Statement/Resource']);
    expect(rulesOf(statement(param('free')))).toEqual(['MF211 /Statement/Effect']);
  });

  it('all of a denial and the members that a condition leaves out are reserved for the author', () => {
    const arn: Json = { $join: ['arn:aws:s3:::crm/', param('free')] };
    const resource = (Effect: string): Json => ({ Statement: [{ Effect, Action: 's3:GetObject', Resource: arn }] });
    expect(rulesOf(resource('Deny'))).toEqual(['MF211 /Statement/0/Resource']);
    expect(rulesOf(resource('Allow'))).toEqual([]);
    const condition = (operator: string): Json => ({ Condition: { [operator]: { 's3:prefix': param('free') } } });
    const turnedAround = ['StringNotEquals', 'ForAnyValue:StringNotLike', 'NotIpAddress', 'ArnNotLikeIfExists'];
    for (const operator of [...turnedAround, 'Bool', 'BoolIfExists', 'ForAnyValue:Bool', 'Null', 'IpAddress']) {
      expect(rulesOf(condition(operator))).toEqual([`MF211 /Condition/${operator}`]);
    }
    expect(rulesOf(condition('StringEquals'))).toEqual([]);
    expect(rulesOf(condition('NumericLessThan'))).toEqual([]);
    const mask: Json = { IpAddress: { 'aws:SourceIp': { $join: ['10.0.0.0/', param('number')] } } };
    expect(rulesOf({ Condition: mask })).toEqual(['MF211 /Condition/IpAddress']);
  });
});
