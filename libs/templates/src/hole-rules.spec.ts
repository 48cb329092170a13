import { describe, expect, it } from '@jest/globals';
import type { Json } from '@mayfly/kernel';
import { checkHoles } from './hole-rules.js';
import { compileParameters } from './parameter-schema.js';
import { readScope } from './scope-parser.js';

const parameters = compileParameters({
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
});
const param = (name: string): Json => ({ $param: name });
const rulesOf = (scope: Json, authored: readonly string[] = []): string[] => {
  const { root, findings } = readScope(scope, parameters, '');
  expect(findings).toEqual([]);
  return checkHoles(root, authored, '').map(({ rule, pointer }) => `${rule} ${pointer}`);
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
  ])('may not reach into %s', (_, $join) => {
    expect(rulesOf({ a: [{ $join }] })).toEqual(['MF210 /a/0']);
  });

  it.each<[string, Json[]]>([
    ['in the resource', ['arn:aws:s3:::crm/', param('free'), '/*']],
    ['in the region, from a list', ['arn:aws:sqs:', param('region'), ':123456789012:crm']],
    ['behind a listed ARN', [param('bucket'), '/', param('free')]],
    ['of what is no ARN', ['repo:', param('free'), ':write']],
  ])('may stand %s', (_, $join) => {
    expect(rulesOf({ a: { $join } })).toEqual([]);
  });
});

describe("a member that is the author's", () => {
  it('takes no free parameter at any depth, and takes a listed one', () => {
    const statements = (action: Json): Json => ({ policy: { Statement: [{ Action: [action] }] } });
    expect(rulesOf(statements({ $join: ['s3:', param('free')] }), ['Action'])).toEqual([
      'MF211 /policy/Statement/0/Action',
    ]);
    expect(rulesOf(statements(param('region')), ['Action'])).toEqual([]);
    expect(rulesOf(statements({ $join: ['s3:', param('free')] }))).toEqual([]);
  });

  it('is all of a denial as well where a caller can make it one, and where one statement stands without a list', () => {
    const statement = (Effect: Json): Json => ({
      Statement: { Effect, Action: 's3:GetObject', Resource: { $join: ['arn:aws:s3:::crm/', param('free')] } },
    });
    expect(rulesOf(statement('Deny'), ['Effect'])).toEqual(['MF211 /Statement/Resource']);
    expect(rulesOf(statement(param('effect')), ['Effect'])).toEqual(['MF211 /Statement/Resource']);
    expect(rulesOf(statement(param('free')), ['Effect'])).toEqual(['MF211 /Statement/Effect']);
  });

  it('is all of a denial, and what a condition leaves out', () => {
    const arn: Json = { $join: ['arn:aws:s3:::crm/', param('free')] };
    const resource = (Effect: string): Json => ({ Statement: [{ Effect, Action: 's3:GetObject', Resource: arn }] });
    expect(rulesOf(resource('Deny'), ['Effect'])).toEqual(['MF211 /Statement/0/Resource']);
    expect(rulesOf(resource('Allow'), ['Effect'])).toEqual([]);
    const condition = (operator: string): Json => ({ Condition: { [operator]: { 's3:prefix': param('free') } } });
    const turnedAround = ['StringNotEquals', 'ForAnyValue:StringNotLike', 'NotIpAddress', 'ArnNotLikeIfExists'];
    for (const operator of [...turnedAround, 'Bool', 'BoolIfExists', 'ForAnyValue:Bool', 'Null', 'IpAddress']) {
      expect(rulesOf(condition(operator), ['Effect'])).toEqual([`MF211 /Condition/${operator}`]);
    }
    expect(rulesOf(condition('StringEquals'), ['Effect'])).toEqual([]);
    expect(rulesOf(condition('NumericLessThan'), ['Effect'])).toEqual([]);
    const mask: Json = { IpAddress: { 'aws:SourceIp': { $join: ['10.0.0.0/', param('number')] } } };
    expect(rulesOf({ Condition: mask }, ['Effect'])).toEqual(['MF211 /Condition/IpAddress']);
  });
});
