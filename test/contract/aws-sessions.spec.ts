import { setTimeout as pause } from 'node:timers/promises';
import { CreateOpenIDConnectProviderCommand, DeleteRoleCommand, DeleteRolePolicyCommand } from '@aws-sdk/client-iam';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { addSeconds } from '@mayfly/kernel';
import { AWS_ACCOUNTS, type RunningAccount } from './aws-accounts.js';
import { AwsTarget, documentOf, nameOf, patience, type AwsOrder, type Secret } from './aws-target.js';
import { OidcFront } from './oidc-front.js';

describe.each(AWS_ACCOUNTS)('AWS sessions on %s', (_, start) => {
  let account: RunningAccount;
  let target: AwsTarget;
  beforeAll(async () => {
    account = await start();
    target = await AwsTarget.open(account.aws);
  });
  afterAll(async () => {
    await target.close();
    await account.stop();
  });

  interface Lease {
    readonly order: AwsOrder;
    readonly secret: Secret;
    readonly read: (key?: string) => Promise<boolean>;
  }
  async function leaseOf(roleArn: string, overrides: Partial<AwsOrder> = {}): Promise<Lease> {
    const order = target.orderFor(roleArn, overrides);
    const secret = await target.mint(order);
    return { order, secret, read: target.readerOf(secret) };
  }
  const leasesOf = async (roleArn: string, count: number, overrides: Partial<AwsOrder> = {}): Promise<Lease[]> => {
    const leases: Lease[] = [];
    for (let made = 0; made < count; made += 20) {
      const some = Math.min(20, count - made);
      leases.push(...(await Promise.all(Array.from({ length: some }, () => leaseOf(roleArn, overrides)))));
    }
    return leases;
  };
  const readAll = async (leases: readonly Lease[]): Promise<boolean[]> => {
    const alive: boolean[] = [];
    for (let done = 0; done < leases.length; done += 20) {
      alive.push(...(await Promise.all(leases.slice(done, done + 20).map(({ read }) => read()))));
    }
    return alive;
  };

  describe('rights', () => {
    it('the rights of an AWS session are what the template names, and no more than the role has', async () => {
      const { read } = await leaseOf(await target.createRole());
      expect([await read('reports/1'), await read('private/1')]).toEqual([true, false]);
      const narrow = {
        Effect: 'Allow',
        Action: ['s3:GetObject'],
        Resource: [`arn:aws:s3:::${target.bucket}/private/*`],
      };
      const other = await leaseOf(await target.createRole({ rights: [narrow] }));
      expect([await other.read('reports/1'), await other.read('private/1')]).toEqual([false, false]);
    });
  });

  describe('the deadline', () => {
    it('the deadline of an AWS session is kept by the target, to the second, when Mayfly is gone', async () => {
      const role = await target.createRole();
      const provider = target.anotherProvider();
      const issuedAt = account.aws.clock.now();
      const order = target.orderFor(role, { issuedAt, expiresAt: addSeconds(issuedAt, 3) });
      const read = target.readerOf(await target.mint(order, provider));
      await provider.close();
      expect(await read()).toBe(true);
      let last = new Date(0);
      for (let asked = new Date(); await read(); asked = new Date()) last = asked;
      expect(last.getTime()).toBeLessThan(order.expiresAt.getTime());
      expect(new Date().getTime()).toBeGreaterThanOrEqual(order.expiresAt.getTime() - 1_000);
    });

    it('the deadline of an AWS session is the proof of the end from then on, without any call', async () => {
      const role = await target.createRole();
      const issuedAt = addSeconds(account.aws.clock.now(), -10);
      const order = target.orderFor(role, { issuedAt, expiresAt: addSeconds(issuedAt, 8) });
      const nowhere = target.config({ endpoints: { sts: account.aws.endpoint, iam: 'http://127.0.0.1:1' } });
      const handle = target.handleOf(order);
      const outcome = await target.provider.revoke({ ...order, config: nowhere, handle }, patience());
      expect(outcome).toEqual({ kind: 'revoked', effectiveAt: order.expiresAt });
    });
  });

  describe('revocation', () => {
    it('the revocation of AWS sessions ends exactly the 150 of 300 sessions that ended, in a few writes', async () => {
      const role = await target.createRole();
      const leases = await leasesOf(role, 300);
      const ended = leases.filter((_lease, index) => (index * 7919) % 300 < 150);
      const writes = target.denyPolicies.writes;
      const outcomes = await Promise.all(ended.map(({ order }) => target.revoke(order)));
      expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['revoked']));
      expect(target.denyPolicies.writes - writes).toBeLessThan(10);
      expect(await readAll(leases)).toEqual(leases.map((lease) => !ended.includes(lease)));
    });

    it('the revocation of AWS sessions loses nothing when two processes write for one role', async () => {
      const role = await target.createRole();
      const leases = await leasesOf(role, 40);
      const other = target.anotherProvider();
      const end = async (lease: Lease, index: number): Promise<void> => {
        for (;;) {
          const outcome = await target.revoke(lease.order, index % 2 === 0 ? target.provider : other);
          if (outcome.kind === 'revoked') return;
          await pause(50);
        }
      };
      await Promise.all(leases.map((lease, index) => pause(index * 20).then(() => end(lease, index))));
      expect(await readAll(leases)).toEqual(leases.map(() => false));
      const document = await target.document(role);
      for (const { order } of leases) expect(document).toContain(`*:${order.leaseId}`);
      await other.close();
    });

    it('the revocation of AWS sessions cuts off everything issued so far when the list does not fit any more, and says so', async () => {
      const role = await target.createRole();
      const revocation = { mode: 'role-policy', propagationSeconds: 0, budgetCharacters: 1024, reservedCharacters: 0 };
      const config = target.config({ revocation });
      const leases = await leasesOf(role, 30, { config });
      const innocent = await leaseOf(role, { config });
      target.denyPolicies.living(target.revocationPointOf(role), innocent.order.expiresAt);
      await pause(1_100);
      // as if they had been issued a minute ago: by then no clock can be so far off
      const old = addSeconds(account.aws.clock.now(), -60);
      const outcomes = await Promise.all(leases.map(({ order }) => target.revoke({ ...order, mintBy: old })));
      expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['revoked']));
      expect(await readAll([...leases, innocent])).toEqual([...leases, innocent].map(() => false));
      expect(target.denyPolicies.cutOffs.at(-1)!.until.getTime()).toBeGreaterThanOrEqual(
        innocent.order.expiresAt.getTime(),
      );
      const renewed = await target.provider.renew(innocent.order, target.handleOf(innocent.order), patience());
      expect(await target.isAlive(renewed.secret)).toBe(true);
      const next = await leaseOf(role, { config });
      expect((await target.revoke(next.order)).kind).toBe('revoked');
      expect([await next.read(), await target.isAlive(renewed.secret)]).toEqual([false, true]);
    });

    it('the revocation of AWS sessions takes the end of the role for the end of its sessions, where the account of the login is known', async () => {
      const role = await target.createRole();
      const { order, read } = await leaseOf(role);
      await target.iam.send(new DeleteRolePolicyCommand({ RoleName: nameOf(role), PolicyName: 'rights' }));
      await target.iam.send(new DeleteRoleCommand({ RoleName: nameOf(role) }));
      // an engine that does not say whose account the login is in leaves open whether the role was looked for where it was
      const isKnown = account.aws.account !== '';
      expect((await target.revoke(order)).kind).toBe(isKnown ? 'already_gone' : 'unknown');
      expect(await read()).toBe(false);
    });
  });

  describe('the deny policy of a role', () => {
    it.each([
      ['removed', (role: string) => target.removeDocument(role)],
      [
        'edited',
        async (role: string) =>
          target.writeDocument(
            role,
            documentOf([
              {
                Sid: 'Mine',
                Effect: 'Deny',
                Action: '*',
                Resource: '*',
                Condition: { StringLike: { 'aws:userid': ['*:me'] } },
              },
            ]),
          ),
      ],
    ] as const)(
      'the deny policy is written again, with a note, after it was %s by another party',
      async (how, spoil) => {
        const role = await target.createRole();
        const { order, read } = await leaseOf(role);
        await target.revoke(order);
        expect(await read()).toBe(false);
        await spoil(role);
        expect(await read()).toBe(true);
        const before = target.denyPolicies.repairs.length;
        await target.provider.maintain(target.config(), target.revocationPointOf(role), patience());
        expect(await read()).toBe(false);
        expect(target.denyPolicies.repairs.slice(before)).toEqual([how]);
      },
    );

    it('the deny policy is written again after an older one was put in its place', async () => {
      const role = await target.createRole();
      const [first, second] = [await leaseOf(role), await leaseOf(role)];
      await target.revoke(first.order);
      const older = await target.document(role);
      await target.revoke(second.order);
      await target.writeDocument(role, older!);
      expect([await first.read(), await second.read()]).toEqual([false, true]);
      const before = target.denyPolicies.repairs.length;
      await target.provider.maintain(target.config(), target.revocationPointOf(role), patience());
      expect([await first.read(), await second.read()]).toEqual([false, false]);
      expect(target.denyPolicies.repairs.slice(before)).toEqual(['edited']);
    });

    it('the deny policy is written again by a process that never saw it, after two checks', async () => {
      const role = await target.createRole();
      const { order, read } = await leaseOf(role);
      await target.revoke(order);
      await target.removeDocument(role);
      const before = target.denyPolicies.repairs.length;
      const other = target.anotherProvider();
      await other.maintain(target.config(), target.revocationPointOf(role), patience());
      expect(await read()).toBe(false);
      expect(target.denyPolicies.repairs.slice(before)).toEqual(['removed']);
      await other.close();
    });

    it('the deny policy goes when nothing is left to deny, and is no repair', async () => {
      const role = await target.createRole();
      const issuedAt = account.aws.clock.now();
      const { order } = await leaseOf(role, { issuedAt, expiresAt: addSeconds(issuedAt, 2) });
      await target.revoke(order);
      expect(await target.document(role)).toContain(order.leaseId);
      await pause(2_100);
      const before = target.denyPolicies.repairs.length;
      await target.provider.maintain(target.config(), target.revocationPointOf(role), patience());
      expect(await target.document(role)).toBeUndefined();
      expect(target.denyPolicies.repairs.length).toBe(before);
    });
  });

  describe('web identity', () => {
    let front: OidcFront;
    let byToken: AwsTarget;
    beforeAll(async () => {
      front = await OidcFront.start();
      byToken = await AwsTarget.open(account.aws, front);
      const list = { Url: front.issuer, ClientIDList: ['sts.amazonaws.com'], ThumbprintList: ['0'.repeat(40)] };
      await byToken.iam.send(new CreateOpenIDConnectProviderCommand(list));
    });
    afterAll(async () => {
      await byToken.close();
      await front.stop();
    });

    const trusting = (subject: string): object => {
      const host = front.issuer.replace('http://', '');
      return {
        Effect: 'Allow',
        Principal: { Federated: [`arn:aws:iam::${account.aws.account}:oidc-provider/${host}`] },
        Action: [
          'sts:AssumeRoleWithWebIdentity',
          'sts:TagSession',
          ...(account.aws.account === '' ? [] : ['sts:SetSourceIdentity']),
        ],
        Condition: { StringEquals: { [`${host}:sub`]: subject, [`${host}:aud`]: 'sts.amazonaws.com' } },
      };
    };

    it('web identity takes a role with a token of the task and no key, and refuses another subject', async () => {
      const broker = await byToken.createRole({ trust: [trusting('mayfly')] });
      const config = byToken.config({ auth: { method: 'web-identity', roleArn: broker } });
      const role = await byToken.createRole({ trust: [trusting('agent:support-agent')] });
      const order = byToken.orderFor(role, { config });
      const secret = await byToken.mint(order);
      expect([await byToken.isAlive(secret), await byToken.isAlive(secret, 'private/1')]).toEqual([true, false]);
      const other = byToken.orderFor(role, { config, agent: { id: order.agent.id, name: 'another-agent' } });
      await expect(byToken.mint(other)).rejects.toMatchObject({
        code: 'provider_rejected',
        extensions: { reason: 'access-denied' },
      });
      // written with the keys of the target, so that this does not hang on what the engine lets a session do to IAM
      expect((await byToken.revoke({ ...order, config: byToken.config() })).kind).toBe('revoked');
      expect(await byToken.isAlive(secret)).toBe(false);
    });
  });
});
