import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId, Problem } from '@mayfly/kernel';
import { accountOf } from './aws-accounts.js';
import { FakeAwsTarget } from './aws-fake-target.js';
import type { AwsFake } from './aws-fake/aws-fake.js';
import { readPolicy } from './aws-fake/policy.js';
import { AwsTarget, documentOf, nameOf, patience } from './aws-target.js';

describe('an AWS connection', () => {
  let scene: FakeAwsTarget;
  let fake: AwsFake;
  let target: AwsTarget;
  let role: string;
  beforeAll(async () => {
    scene = await FakeAwsTarget.open();
    ({ fake, target, role } = scene);
  });
  afterAll(() => scene.close());

  describe('when it is tried', () => {
    const userWith = (statements: readonly object[]) => {
      const { accessKeyId, secretAccessKey, arn } = fake.account.addUser('mayfly', readPolicy(documentOf(statements)));
      return { auth: { method: 'static', accessKeyId, secretAccessKey }, arn };
    };

    it('the test of an AWS connection says that everything is there, leaves nothing behind, and how far the clock is off', async () => {
      const own = await target.createRole();
      fake.account.behaviour.clockOffsetSeconds = 100;
      const report = await target.provider.probe(target.config({ roles: [own] }), patience());
      fake.account.behaviour.clockOffsetSeconds = 0;
      expect(report.checks.map(({ name, outcome }) => [name.replace(/role-\w+/, 'R'), outcome])).toEqual([
        ['log in', 'ok'],
        ['sts:GetCallerIdentity', 'ok'],
        ['sts:AssumeRole on role/R', 'ok'],
        ['sts:SetSourceIdentity on role/R', 'ok'],
        ['sts:TagSession on role/R', 'ok'],
        ['iam:GetRolePolicy on role/R', 'ok'],
        ['iam:PutRolePolicy on role/R', 'ok'],
        ['iam:DeleteRolePolicy on role/R', 'ok'],
      ]);
      expect(report.clockOffsetSeconds).toBeGreaterThan(95);
      expect(report.clockOffsetSeconds).toBeLessThan(105);
      expect(await target.document(own)).toBeUndefined();
    });

    it('the test of an AWS connection writes exactly what has to stand where something has to', async () => {
      const own = await target.createRole();
      const order = target.orderFor(own);
      await target.mint(order);
      await target.revoke(order);
      const document = await target.document(own);
      const { checks } = await target.provider.probe(target.config({ roles: [own] }), patience());
      expect(checks.at(-1)).toMatchObject({ outcome: 'skipped' });
      expect(await target.document(own)).toBe(document);
    });

    it('the test of an AWS connection leaves a policy of its name alone that is not its own', async () => {
      const own = await target.createRole();
      const theirs = documentOf([{ Effect: 'Deny', Action: 's3:DeleteBucket', Resource: '*' }]);
      await target.writeDocument(own, theirs);
      const { checks } = await target.provider.probe(target.config({ roles: [own] }), patience());
      expect(checks.at(-1)).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('policyName') });
      expect(await target.document(own)).toBe(theirs);
    });

    it('the test of an AWS connection writes no cut-off, which nobody would record', async () => {
      const own = await target.createRole();
      const place = target.revocationPointOf(own);
      const now = Date.now();
      for (let made = 0; made < 300; made += 1) {
        const session = { leaseId: newId('lse'), issuedBy: new Date(now - 60_000), expiresAt: new Date(now + 600_000) };
        target.denyPolicies.revoke(place, session);
      }
      const { checks } = await target.provider.probe(target.config({ roles: [own] }), patience());
      expect(checks.slice(-2).map(({ outcome }) => outcome)).toEqual(['skipped', 'skipped']);
      expect(await target.document(own)).toBeUndefined();
    });

    it.each([
      'sts:SetSourceIdentity',
      'sts:TagSession',
      'sts:AssumeRole',
      'iam:GetRolePolicy',
      'iam:PutRolePolicy',
      'iam:DeleteRolePolicy',
    ])('the test of an AWS connection names the right that is missing: %s', async (missing) => {
      const deny = { Effect: 'Deny', Action: missing, Resource: '*' };
      const { auth, arn } = userWith([{ Effect: 'Allow', Action: '*', Resource: '*' }, deny]);
      const trust = [
        {
          Effect: 'Allow',
          Principal: { AWS: [arn] },
          Action: ['sts:AssumeRole', 'sts:SetSourceIdentity', 'sts:TagSession'],
        },
      ];
      const own = await target.createRole({ trust });
      const { checks } = await target.provider.probe(target.config({ auth, roles: [own] }), patience());
      expect(checks.filter(({ outcome }) => outcome === 'missing').map(({ name }) => name)).toEqual([
        `${missing} on role/${nameOf(own)}`,
      ]);
    });

    it('the test of an AWS connection says that Mayfly has no identity token, and does not blame the login', async () => {
      const detail = 'no signing key is ready; try again later';
      const identityTokens = {
        issuer: 'https://mayfly.example',
        issue: () => Promise.reject(new Problem('unavailable', detail)),
      };
      const keyless = await AwsTarget.open(accountOf(fake), identityTokens);
      const auth = { method: 'web-identity', roleArn: role, audience: 'sts.amazonaws.com' };
      const { checks } = await keyless.provider.probe(keyless.config({ auth, roles: [role] }), patience());
      expect(checks[0]).toEqual({ name: 'log in', outcome: 'failed', detail: `${detail} (unavailable)` });
      await keyless.close();
    });

    it.each([
      [
        'a login that AWS does not know',
        { auth: { method: 'static', accessKeyId: 'AKIANOBODY', secretAccessKey: 'canary' } },
      ],
      ['an address where nobody is', { endpoints: { sts: 'http://127.0.0.1:1', iam: 'http://127.0.0.1:1' } }],
    ])('the test of an AWS connection never throws: %s', async (_, overrides) => {
      const report = await target.provider.probe(target.config({ ...overrides, roles: [role] }), patience());
      expect(report.checks.some(({ outcome }) => outcome === 'failed')).toBe(true);
      expect(JSON.stringify(report)).not.toContain('canary');
    });
  });
});
