import { describe, expect, it } from '@jest/globals';
import { awsConfigSchema } from './config.schema.js';
import { inspectScope } from './inspect-scope.js';
import { AwsScopeSchema } from './scope.schema.js';
import { policyCharacters } from './session-policy.js';

const configOf = (overrides: object = {}) =>
  awsConfigSchema(true).parse({ region: 'eu-central-1', auth: { method: 'default-chain' }, ...overrides });
const roleArn = 'arn:aws:iam::123456789012:role/crm';
const scopeOf = (overrides: object = {}, padding = 1) => {
  const statement = { Effect: 'Allow', Action: 's3:GetObject', Resource: `arn:aws:s3:::${'c'.repeat(padding)}` };
  return AwsScopeSchema.parse({ roleArn, policy: { Version: '2012-10-17', Statement: [statement] }, ...overrides });
};
const errors = (config: object, scope: object, padding?: number) =>
  inspectScope(configOf(config), scopeOf(scope, padding)).filter(({ severity }) => severity === 'error');

describe('inspectScope', () => {
  it('inspectScope accepts a scope that fits', () => {
    expect(inspectScope(configOf({ roles: [roleArn] }), scopeOf())).toEqual([]);
  });

  it.each<[string, object, object, string]>([
    ['a role that is not on the list', { roles: ['arn:aws:iam::123456789012:role/other'] }, {}, 'not among'],
    ['a role in another case than on the list', { roles: ['arn:aws:iam::123456789012:role/CRM'] }, {}, 'not among'],
    ['a role without an account', {}, { roleArn: 'arn:aws:iam:::role/crm' }, '12 digits'],
    ['a region of another partition', { region: 'cn-north-1' }, {}, 'partition'],
    [
      'a role of AWS itself',
      {},
      { roleArn: 'arn:aws:iam::123456789012:role/aws-service-role/x/y' },
      'cannot have a deny policy',
    ],
    ['tags that nobody trusts', { trusted: { tags: false } }, { tags: { team: 'crm' } }, 'trusted.tags'],
    [
      'an external id by web identity',
      { auth: { method: 'web-identity', roleArn } },
      { externalId: 'crm' },
      'externalId',
    ],
  ])('inspectScope refuses %s', (_, config, scope, part) => {
    expect(errors(config, scope)).toEqual([{ severity: 'error', detail: expect.stringContaining(part) }]);
  });

  it('inspectScope counts what STS counts, says the numbers, and is exact at the edge', () => {
    const edge = 2048 + 2 - policyCharacters(scopeOf().policy);
    expect(errors({}, {}, edge - 1)).toEqual([]);
    expect(errors({}, {}, edge)[0]?.detail).toMatch(/^the session policy is 2,049 of 2,048 characters/);
    expect(inspectScope(configOf(), scopeOf({}, edge - 1))).toMatchObject([{ severity: 'warning' }]);
    const policyArns = ['arn:aws:iam::aws:policy/ReadOnlyAccess'];
    expect(errors({}, { policyArns }, edge - policyArns[0]!.length)).toHaveLength(1);
    expect(errors({}, { policyArns }, edge - policyArns[0]!.length - 1)).toEqual([]);
  });

  it('inspectScope warns of a template that lets its sessions take other roles', () => {
    const statement = { Effect: 'Allow', Action: 'sts:AssumeRole', Resource: roleArn };
    const scope = scopeOf({ policy: { Version: '2012-10-17', Statement: [statement] } });
    expect(inspectScope(configOf(), scope)).toEqual([
      { severity: 'warning', detail: expect.stringContaining('up to an hour') },
    ]);
  });
});
