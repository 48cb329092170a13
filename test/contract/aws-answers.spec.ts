import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { addSeconds, type Problem } from '@mayfly/kernel';
import { FakeAwsTarget } from './aws-fake-target.js';
import type { AwsFake, Fault } from './aws-fake/aws-fake.js';
import { patience, type AwsTarget, type Secret } from './aws-target.js';
import { secretText } from './crm-database.js';

/** Cases of AWS alone: the fake has the bodies, codes, limits and delays of AWS. */
describe('AWS sessions where AWS has its own ways', () => {
  let scene: FakeAwsTarget;
  let fake: AwsFake;
  let target: AwsTarget;
  let role: string;
  beforeAll(async () => {
    scene = await FakeAwsTarget.open();
    ({ fake, target, role } = scene);
  });
  afterAll(() => scene.close());

  describe('a mint', () => {
    it('an AWS mint is one session that says who it is for', async () => {
      const order = target.orderFor(role, {
        scope: target.scope(role, { tags: { team: 'crm' }, transitiveTagKeys: ['mayfly:task', 'team'] }),
      });
      await target.mint(order);
      const session = scene.sessionsOf(order)[0]!.session!;
      expect(session).toMatchObject({
        name: order.leaseId,
        sourceIdentity: order.taskId,
        transitiveTagKeys: ['mayfly:task', 'team'],
      });
      expect(Object.fromEntries(session.tags)).toEqual({
        team: 'crm',
        'mayfly:template': 'support-read-cases',
        'mayfly:agent': 'support-agent',
        'mayfly:task': order.taskId,
      });
      expect(scene.sessionsOf(order)).toHaveLength(1);
    });

    it.each<[string, Fault]>([
      ['hangs', { kind: 'hang' }],
      ['drops the connection', { kind: 'reset' }],
      ['answers 500', { kind: 'error' }],
    ])(
      'an AWS mint whose session was made before the server %s is unknown, and nothing usable is left after its revocation',
      async (_, fault) => {
        const order = target.orderFor(role);
        fake.fail('AssumeRole', fault);
        const minting = target.provider.mint(order, target.provider.plan(order), AbortSignal.timeout(700));
        await expect(minting).rejects.toMatchObject({
          code: 'provider_unavailable',
          extensions: { reason: 'unknown-outcome' },
        });
        expect([scene.sessionsOf(order).length, scene.usable(order)]).toEqual([1, 1]);
        expect((await scene.untilRevoked(order)).kind).toBe('revoked');
        expect(scene.usable(order)).toBe(0);
      },
    );

    it('an AWS mint waits while AWS has too many calls, and is one session in the end', async () => {
      fake.fail('AssumeRole', { kind: 'refuse', code: 'Throttling', message: 'Rate exceeded' }, 3);
      const order = target.orderFor(role);
      await target.mint(order);
      expect(scene.sessionsOf(order)).toHaveLength(1);
    });

    it('an AWS mint gives up before `mintBy` when there is no end of that, and has made nothing', async () => {
      fake.account.behaviour.callsPerSecond = 0;
      const issuedAt = new Date();
      const order = target.orderFor(role, { issuedAt, mintBy: addSeconds(issuedAt, 1) });
      await expect(target.mint(order)).rejects.toMatchObject({
        code: 'provider_rejected',
        retryAfterSeconds: 5,
        extensions: { reason: 'throttled' },
      });
      fake.account.behaviour.callsPerSecond = Infinity;
      expect(scene.sessionsOf(order)).toHaveLength(0);
    });

    it('an AWS mint finds its login anew, once, when that has expired', async () => {
      fake.fail('AssumeRole', { kind: 'refuse', code: 'ExpiredToken', status: 403 });
      const order = target.orderFor(role);
      await target.mint(order);
      expect(scene.sessionsOf(order)).toHaveLength(1);
      fake.fail('AssumeRole', { kind: 'refuse', code: 'ExpiredToken', status: 403 }, 2);
      expect(await scene.failureOf(target.orderFor(role))).toMatchObject({
        extensions: { reason: 'expired-credentials' },
      });
    });

    it.each([
      ['AccessDenied', 403, 'access-denied'],
      ['InvalidClientTokenId', 403, 'broker-credentials'],
      ['MalformedPolicyDocument', 400, 'malformed-policy'],
      ['PackedPolicyTooLarge', 400, 'packed-size'],
      ['RegionDisabledException', 403, 'region-disabled'],
      ['OptInRequired', 403, 'region-disabled'],
      ['RequestTimeTooSkewed', 403, 'clock-skew'],
      ['ValidationError', 400, 'invalid-request'],
      ['SomethingNew', 400, 'invalid-request'],
    ])('an AWS mint that AWS refuses with %s (%i) made nothing: %s', async (code, status, reason) => {
      fake.fail('AssumeRole', { kind: 'refuse', code, status });
      expect(await scene.failureOf(target.orderFor(role))).toMatchObject({
        code: 'provider_rejected',
        extensions: { reason },
      });
    });

    it.each([
      ['InternalFailure', 500],
      ['ServiceUnavailable', 503],
    ])('an AWS mint that AWS answers with %s (%i) may have made something', async (code, status) => {
      fake.fail('AssumeRole', { kind: 'refuse', code, status });
      expect(await scene.failureOf(target.orderFor(role))).toMatchObject({ code: 'provider_unavailable' });
    });
  });

  describe('limits', () => {
    it('AWS refuses a session over the packed size, which only AWS knows', async () => {
      fake.account.behaviour.packedBytes = 100;
      expect(await scene.failureOf(target.orderFor(role))).toMatchObject({ extensions: { reason: 'packed-size' } });
      fake.account.behaviour.packedBytes = 1200;
      const order = target.orderFor(role);
      const mint = () => target.provider.mint(order, target.provider.plan(order), patience());
      const { facts } = await mint();
      expect(facts).toEqual({ packedPolicySize: expect.any(Number), policyCharacters: expect.any(Number) });
      fake.account.behaviour.packedBytes = Math.ceil((facts?.packedPolicySize as number) * 13);
      const full = await mint();
      fake.account.behaviour.packedBytes = 1200;
      expect(full.facts?.warnings).toEqual([expect.stringContaining('% of the packed size that AWS allows')]);
    });

    it('the role limits how long its AWS sessions live', async () => {
      const short = await target.createRole({ maxSessionSeconds: 3600 });
      const issuedAt = new Date();
      const order = target.orderFor(short, { issuedAt, expiresAt: addSeconds(issuedAt, 7200) });
      expect(await scene.failureOf(order)).toMatchObject({ extensions: { reason: 'session-length' } });
    });

    it('AWS sessions of a connection that is itself a session last an hour at most', async () => {
      const secret = await target.mint(target.orderFor(role));
      const [accessKeyId, secretAccessKey, sessionToken] = ['accessKeyId', 'secretAccessKey', 'sessionToken'].map(
        (member) => secretText(secret, member),
      );
      const auth = { method: 'static', accessKeyId, secretAccessKey, sessionToken };
      expect(() => target.config({ auth })).toThrow(/3600/);
      expect(target.provider.traitsFor(target.config({ auth, maxSessionSeconds: 3600 }))).toMatchObject({
        maxTtlSeconds: 3600,
      });
    });
  });

  describe('trust', () => {
    it.each([
      ['sts:SetSourceIdentity', ['sts:AssumeRole', 'sts:TagSession'], { sourceIdentity: false }],
      ['sts:TagSession', ['sts:AssumeRole', 'sts:SetSourceIdentity'], { tags: false }],
    ])(
      'a role that does not trust %s is named in the refusal, and accepted once the connection says so',
      async (action, actions, trusted) => {
        const trust = [{ Effect: 'Allow', Principal: { AWS: [target.aws.user] }, Action: actions }];
        const partly = await target.createRole({ trust });
        const refused = (await scene.failureOf(target.orderFor(partly))) as Problem;
        expect(refused).toMatchObject({ code: 'provider_rejected', extensions: { reason: 'access-denied' } });
        expect(refused.detail).toContain(`\`${action}\``);
        await target.mint(target.orderFor(partly, { config: target.config({ trusted }) }));
      },
    );

    it('an AWS role may ask for an external id', async () => {
      const condition = { StringEquals: { 'sts:ExternalId': 'crm-7' } };
      const trust = [
        { Effect: 'Allow', Principal: { AWS: [target.aws.user] }, Action: ['sts:*'], Condition: condition },
      ];
      const strict = await target.createRole({ trust });
      expect(await scene.failureOf(target.orderFor(strict))).toMatchObject({ extensions: { reason: 'access-denied' } });
      await target.mint(target.orderFor(strict, { scope: target.scope(strict, { externalId: 'crm-7' }) }));
    });
  });

  describe('other roles', () => {
    const chain = async (secret: Secret, next: string): Promise<unknown> => {
      const [accessKeyId = '', secretAccessKey = '', sessionToken = ''] = [
        'accessKeyId',
        'secretAccessKey',
        'sessionToken',
      ].map((member) => secretText(secret, member));
      const sts = new STSClient({
        endpoint: fake.endpoint,
        region: 'us-east-1',
        maxAttempts: 1,
        credentials: { accessKeyId, secretAccessKey, sessionToken },
      });
      const input = { RoleArn: next, RoleSessionName: 'chained', DurationSeconds: 900 };
      return sts.send(new AssumeRoleCommand(input)).then(
        () => 'taken',
        (error: unknown) => (error as Error).name,
      );
    };

    it('other AWS roles are out of reach, unless the template asks for one', async () => {
      const everything = [{ Effect: 'Allow', Action: '*', Resource: '*' }];
      const open = await target.createRole({ rights: everything });
      const trust = [{ Effect: 'Allow', Principal: { AWS: [open] }, Action: ['sts:AssumeRole', 'sts:TagSession'] }];
      const next = await target.createRole({ trust });
      expect(await chain(await target.mint(target.orderFor(open)), next)).toMatch(/AccessDenied/);
      const statement = { Effect: 'Allow', Action: 'sts:AssumeRole', Resource: next };
      const scope = target.scope(open, { policy: { Version: '2012-10-17', Statement: [statement] } });
      expect(await chain(await target.mint(target.orderFor(open, { scope })), next)).toBe('taken');
    });
  });

  it('IAM is never called by a connection without deny policies', async () => {
    const config = target.config({ revocation: { mode: 'none' } });
    expect(target.provider.traitsFor(config)).toMatchObject({ revocation: 'expiry-only', minTtlSeconds: 900 });
    const issuedAt = new Date();
    const order = target.orderFor(role, { config, issuedAt, expiresAt: addSeconds(issuedAt, 899) });
    expect(await scene.failureOf(order)).toMatchObject({
      code: 'provider_rejected',
      detail: expect.stringContaining('floor of 900 s'),
    });
    expect(await target.revoke({ ...order, expiresAt: addSeconds(issuedAt, 900) })).toEqual({ kind: 'impossible' });
    await target.provider.maintain(config, target.revocationPointOf(role), patience());
  });
});
