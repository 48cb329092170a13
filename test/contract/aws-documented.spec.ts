import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FakeAwsTarget } from './aws-fake-target.js';
import { readPolicy } from './aws-fake/policy.js';
import { nameOf, patience, type AwsOrder } from './aws-target.js';

const page = readFileSync(new URL('../../docs/connect-aws.md', import.meta.url), 'utf8');
const [TRUST = '', BROKER = '', WEB_IDENTITY = ''] = [...page.matchAll(/```json\n(.*?)```/gs)].map(
  ([, text]) => text ?? '',
);

describe('the policies of docs/connect-aws.md', () => {
  let scene: FakeAwsTarget;
  let role: string;
  let auth: object;
  beforeAll(async () => {
    scene = await FakeAwsTarget.open();
    const { fake, target } = scene;
    const { arn, ...keys } = fake.account.addUser('mayfly', readPolicy(BROKER));
    const trust = JSON.parse(TRUST.replace('arn:aws:iam::123456789012:role/mayfly', arn)) as { Statement: object[] };
    role = await target.createRole({ trust: trust.Statement });
    fake.account.principals.get(keys.accessKeyId)!.policies = [
      readPolicy(BROKER.replaceAll('crm-export', nameOf(role))),
    ];
    auth = { method: 'static', accessKeyId: keys.accessKeyId, secretAccessKey: keys.secretAccessKey };
  });
  afterAll(() => scene.close());

  const orderAs = (roleArn: string): AwsOrder =>
    scene.target.orderFor(roleArn, { config: scene.target.config({ auth }) });

  it('the policies of docs/connect-aws.md are enough to mint, to revoke and for every check of the test', async () => {
    const { target } = scene;
    const { checks } = await target.provider.probe(target.config({ auth, roles: [role] }), patience());
    expect(checks.filter(({ outcome }) => outcome !== 'ok')).toEqual([]);
    const order = orderAs(role);
    const secret = await target.mint(order);
    expect(await target.isAlive(secret)).toBe(true);
    expect((await target.revoke(order)).kind).toBe('revoked');
    expect(await target.isAlive(secret)).toBe(false);
  });

  it('the policies of docs/connect-aws.md reach no other role', async () => {
    const trusting = {
      Effect: 'Allow',
      Principal: { AWS: '*' },
      Action: ['sts:AssumeRole', 'sts:SetSourceIdentity', 'sts:TagSession'],
    };
    const other = await scene.target.createRole({ trust: [trusting] });
    expect(await scene.failureOf(orderAs(other))).toMatchObject({ extensions: { reason: 'access-denied' } });
    expect(await scene.target.revoke(orderAs(other))).toMatchObject({
      kind: 'unknown',
      detail: expect.stringContaining('iam:GetRolePolicy'),
    });
  });

  it('the policies of docs/connect-aws.md are a trust policy that AWS takes for web identity as well', () => {
    expect(readPolicy(WEB_IDENTITY, 'trust').Statement).toHaveLength(1);
  });
});
