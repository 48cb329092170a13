import { describe, expect, it } from '@jest/globals';
import { addSeconds, newId } from '@mayfly/kernel';
import { awsConfigSchema } from './config.schema.js';
import { AwsScopeSchema } from './scope.schema.js';
import { mintedFrom, type AwsOrder, type StsAnswer } from './session.js';

const roleArn = 'arn:aws:iam::123456789012:role/agents/crm';
const issuedAt = new Date('2030-01-01T00:00:00.250Z');
const order: AwsOrder = {
  leaseId: newId('lse'),
  taskId: newId('tsk'),
  agent: { id: newId('agt'), name: 'support-agent' },
  template: { name: 'support-export-bucket', version: 1 },
  config: awsConfigSchema(false).parse({ region: 'eu-central-1', auth: { method: 'default-chain' } }),
  scope: AwsScopeSchema.parse({
    roleArn,
    policy: {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 's3:GetObject', Resource: 'arn:aws:s3:::crm/*' }],
    },
  }),
  issuedAt,
  expiresAt: addSeconds(issuedAt, 60),
  mintBy: addSeconds(issuedAt, 30),
};
const handle = { roleArn, sessionName: order.leaseId, iam: 'iam' };
const credentials = {
  AccessKeyId: 'ASIA',
  SecretAccessKey: 'canary',
  SessionToken: 'canary',
  Expiration: addSeconds(issuedAt, 900),
};
const user = { Arn: `arn:aws:sts::123456789012:assumed-role/crm/${order.leaseId}` };
const answer: StsAnswer = { AssumedRoleUser: user, Credentials: credentials };

describe('mintedFrom', () => {
  it('mintedFrom ends with the granted deadline, cut to the second, although the session itself lives longer', () => {
    const { secret, providerExpiresAt } = mintedFrom(answer, order, handle, 0);
    expect(providerExpiresAt).toEqual(new Date('2030-01-01T00:01:00Z'));
    expect(secret).toMatchObject({ expiration: '2030-01-01T00:01:00.000Z', region: 'eu-central-1' });
  });

  it('mintedFrom ends with the session where that is sooner', () => {
    const soon = { ...answer, Credentials: { ...credentials, Expiration: addSeconds(issuedAt, 30) } };
    expect(mintedFrom(soon, order, handle, 0).providerExpiresAt).toEqual(addSeconds(issuedAt, 30));
  });

  it.each<[string, StsAnswer]>([
    ['of another lease', { ...answer, AssumedRoleUser: { Arn: `${user.Arn}x` } }],
    ['of another role', { ...answer, AssumedRoleUser: { Arn: user.Arn.replace('/crm/', '/admin/') } }],
    ['of nobody', { Credentials: credentials }],
    ['without a token', { ...answer, Credentials: { ...credentials, SessionToken: '' } }],
    ['without an end', { ...answer, Credentials: { ...credentials, Expiration: new Date(Number.NaN) } }],
    ['without anything', {}],
  ])('mintedFrom takes no session %s: something may exist anyway', (_, wrong) => {
    expect(() => mintedFrom(wrong, order, handle, 0)).toThrow(
      expect.objectContaining({ code: 'provider_unavailable', extensions: { reason: 'unknown-outcome' } }),
    );
  });

  it.each([
    [{ PackedPolicySize: 81 }, 0, 'policy and tags took 81 %'],
    [{ SessionTokenUtilization: 95 }, 0, 'the session took 95 %'],
    [{}, 6, "AWS's clock is 6 s ahead of Mayfly's; sessions end so much earlier"],
    [{}, -6, "AWS's clock is 6 s behind Mayfly's; sessions end so much later"],
  ])('mintedFrom warns of %p with a clock that is %i s off', (more, offset, warning) => {
    const { facts } = mintedFrom({ ...answer, ...more }, order, handle, offset);
    expect(facts?.warnings).toEqual([expect.stringContaining(warning)]);
  });

  it('mintedFrom keeps the numbers and warns of nothing while there is room', () => {
    const { facts } = mintedFrom({ ...answer, PackedPolicySize: 80 }, order, handle, undefined);
    expect(facts).toEqual({ packedPolicySize: 80, policyCharacters: expect.any(Number) });
  });
});
