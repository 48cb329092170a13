import { setTimeout as pause } from 'node:timers/promises';
import { PutRolePolicyCommand } from '@aws-sdk/client-iam';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { addSeconds } from '@mayfly/kernel';
import { FakeAwsTarget } from './aws-fake-target.js';
import { ACCOUNT } from './aws-fake/account.js';
import type { AwsFake, Fault } from './aws-fake/aws-fake.js';
import { documentOf, nameOf, patience, type AwsTarget } from './aws-target.js';

describe('denials of AWS sessions', () => {
  let scene: FakeAwsTarget;
  let fake: AwsFake;
  let target: AwsTarget;
  beforeAll(async () => {
    scene = await FakeAwsTarget.open();
    ({ fake, target } = scene);
  });
  afterAll(() => scene.close());

  describe('a revocation that IAM spreads slowly', () => {
    const slow = { revocation: { mode: 'role-policy', propagationSeconds: 2 } };

    it('a revocation that IAM propagates slowly is on its way until the window is over, and then confirmed', async () => {
      fake.account.behaviour.propagationSeconds = 1;
      const own = await target.createRole();
      await pause(1_050);
      const order = target.orderFor(own, { config: target.config(slow) });
      const secret = await target.mint(order);
      const first = await target.revoke(order);
      expect(first).toMatchObject({ kind: 'not_yet', effectiveAt: expect.any(Date), retryAfterSeconds: 2 });
      expect(await target.isAlive(secret)).toBe(true);
      const { effectiveAt } = first as { effectiveAt: Date };
      const writes = fake.done.get('PutRolePolicy');
      expect(await target.revoke(order, target.provider, effectiveAt)).toMatchObject({ kind: 'not_yet', effectiveAt });
      await pause(effectiveAt.getTime() - Date.now() + 5);
      expect(await target.isAlive(secret)).toBe(false);
      expect(await target.revoke(order, target.provider, effectiveAt)).toEqual({ kind: 'revoked', effectiveAt });
      expect(fake.done.get('PutRolePolicy')).toBe(writes);
      fake.account.behaviour.propagationSeconds = 0;
    });

    it('a revocation that IAM propagates slowly begins again when the document is gone before it was confirmed', async () => {
      const own = await target.createRole();
      const order = target.orderFor(own, { config: target.config(slow) });
      await target.mint(order);
      const { effectiveAt } = (await target.revoke(order)) as { effectiveAt: Date };
      await target.removeDocument(own);
      await pause(effectiveAt.getTime() - Date.now() + 5);
      const before = target.denyPolicies.repairs.length;
      const again = await target.revoke(order, target.provider, effectiveAt);
      expect(again).toMatchObject({ kind: 'not_yet', effectiveAt: expect.any(Date) });
      expect((again as { effectiveAt: Date }).effectiveAt.getTime()).toBeGreaterThan(effectiveAt.getTime());
      expect(target.denyPolicies.repairs.slice(before)).toEqual(['removed']);
      expect(scene.usable(order)).toBe(0);
    });
  });

  describe('a document that several leases and processes share', () => {
    const slow = { revocation: { mode: 'role-policy', propagationSeconds: 2 } };
    const revokedTogether = async () => {
      const own = await target.createRole();
      const orders = [1, 2].map(() => target.orderFor(own, { config: target.config(slow) }));
      for (const order of orders) await target.mint(order);
      const outcomes = [];
      const documents = [];
      for (const order of orders) {
        outcomes.push(await target.revoke(order));
        documents.push((await target.document(own))!);
      }
      const [one, two] = outcomes.map((outcome) => (outcome as { effectiveAt: Date }).effectiveAt);
      return { own, orders, effectiveAt: { one: one!, two: two! }, documents };
    };

    it('a shared deny policy that was restored counts for none of its leases before it has spread again', async () => {
      const { own, orders, effectiveAt } = await revokedTogether();
      await target.removeDocument(own);
      await pause(effectiveAt.two.getTime() - Date.now() + 5);
      const another = target.anotherProvider();
      expect(await target.revoke(orders[0]!, another, effectiveAt.one)).toMatchObject({ kind: 'not_yet' });
      const repairedAt = Date.now();
      await another.close();
      const second = await target.revoke(orders[1]!, target.provider, effectiveAt.two);
      expect(second.kind).toBe('not_yet');
      const later = (second as { effectiveAt: Date }).effectiveAt;
      expect(later.getTime()).toBeGreaterThan(repairedAt + 1_500);
      await pause(later.getTime() - Date.now() + 5);
      expect(await target.revoke(orders[1]!, target.provider, later)).toEqual({ kind: 'revoked', effectiveAt: later });
    });

    it('a shared deny policy is not reported as edited by a process that reads it before the last write', async () => {
      const { own, orders, documents } = await revokedTogether();
      const before = target.denyPolicies.repairs.length;
      await target.writeDocument(own, documents[0]!);
      const another = target.anotherProvider();
      await another.maintain(target.config(slow), target.revocationPointOf(own), patience());
      await another.close();
      expect(target.denyPolicies.repairs.slice(before)).toEqual([]);
      expect(await target.document(own)).toContain(orders[1]!.leaseId);
    });
  });

  describe('a role of another account than the login', () => {
    const ELSEWHERE = '210987654321';
    const leaseElsewhere = async () => {
      const own = await target.createRole();
      const twin = fake.account.addTwinElsewhere(fake.account.role(nameOf(own)), ELSEWHERE);
      const order = target.orderFor(twin.arn);
      await target.mint(order);
      return { own, order };
    };
    const unproven = {
      kind: 'unknown',
      detail: expect.stringContaining(`is in account ${ACCOUNT}, the role in ${ELSEWHERE}`),
    };

    it('a role of another account than the login does not get a denial by way of a role of the same name', async () => {
      const { own, order } = await leaseElsewhere();
      expect(await target.revoke(order)).toMatchObject(unproven);
      expect(await target.document(own)).toBeUndefined();
      expect(scene.usable(order)).toBe(1);
    });

    it('a role of another account than the login is not taken for gone because the login does not find it', async () => {
      const { own, order } = await leaseElsewhere();
      fake.account.roles.delete(nameOf(own));
      expect(await target.revoke(order)).toMatchObject(unproven);
      expect(scene.usable(order)).toBe(1);
    });

    it.each(['found', 'not found'])(
      'two accounts are kept apart when the account of the login is unknown: name %s',
      async (name) => {
        const { own, order } = await leaseElsewhere();
        if (name === 'not found') fake.account.roles.delete(nameOf(own));
        const another = target.anotherProvider();
        fake.fail('GetCallerIdentity', { kind: 'refuse', code: 'InvalidAction' }, 2);
        const outcome = await target.revoke(order, another);
        await another.close();
        expect(outcome.kind).toBe('unknown');
        expect(await target.document(own)).toBeUndefined();
      },
    );

    it('a role of another account than the login fails when the connection is tried', async () => {
      const { order } = await leaseElsewhere();
      const config = target.config({ roles: [order.scope.roleArn] });
      const { checks } = await target.provider.probe(config, patience());
      const ofIam = checks.filter(({ name }) => name.startsWith('iam:'));
      expect(ofIam.map(({ outcome }) => outcome)).toEqual(['failed', 'failed', 'failed']);
      expect(ofIam[0]?.detail).toContain(ELSEWHERE);
    });
  });

  describe('a write to IAM', () => {
    it('a write to IAM with an unknown outcome keeps its claim until it lapses, so that no later write is overtaken', async () => {
      const order = target.orderFor(await target.createRole());
      await target.mint(order);
      const place = target.revocationPointOf(order.scope.roleArn);
      fake.fail('PutRolePolicy', { kind: 'reset' });
      expect(await target.revoke(order)).toMatchObject({ kind: 'unknown' });
      expect(await target.denyPolicies.claim(place, 30)).toBeUndefined();
    });

    it.each<[string, Fault]>([
      ['drops the connection', { kind: 'reset' }],
      ['answers 500', { kind: 'error' }],
      [
        'refuses for want of a right',
        {
          kind: 'refuse',
          code: 'AccessDenied',
          status: 403,
          message: 'User: me is not authorized to perform: iam:PutRolePolicy on resource: role',
        },
      ],
    ])('a write to IAM that %s proves nothing, and is made again', async (_, fault) => {
      const order = target.orderFor(await target.createRole());
      await target.mint(order);
      target.denyPolicies.longestClaimSeconds = 1;
      fake.fail('PutRolePolicy', fault);
      expect(await target.revoke(order)).toMatchObject({ kind: 'unknown' });
      expect((await scene.untilRevoked(order)).kind).toBe('revoked');
      target.denyPolicies.longestClaimSeconds = Infinity;
      expect(scene.usable(order)).toBe(0);
    });

    it('a write to IAM has no room where other policies fill the role, and cuts everything off then', async () => {
      const own = await target.createRole();
      const filler = documentOf([
        { Effect: 'Allow', Action: 's3:GetObject', Resource: [`arn:aws:s3:::${'x'.repeat(9_350)}`] },
      ]);
      await target.iam.send(
        new PutRolePolicyCommand({ RoleName: nameOf(own), PolicyName: 'filler', PolicyDocument: filler }),
      );
      const orders = await Promise.all(
        Array.from({ length: 20 }, async () => {
          const order = target.orderFor(own);
          await target.mint(order);
          return order;
        }),
      );
      await pause(1_100);
      const old = addSeconds(new Date(), -60);
      const outcomes = await Promise.all(orders.map((order) => target.revoke({ ...order, mintBy: old })));
      expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['revoked']));
      expect(orders.map((order) => scene.usable(order))).toEqual(orders.map(() => 0));
    });

    it('a write to IAM is made a few times only when AWS lets five calls a second through and 200 sessions end at once', async () => {
      const own = await target.createRole();
      const orders = await Promise.all(
        Array.from({ length: 200 }, async () => {
          const order = target.orderFor(own);
          await target.mint(order);
          return order;
        }),
      );
      fake.account.behaviour.callsPerSecond = 5;
      const writes = fake.done.get('PutRolePolicy') ?? 0;
      const outcomes = await Promise.all(orders.map((order) => scene.untilRevoked(order)));
      fake.account.behaviour.callsPerSecond = Infinity;
      expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['revoked']));
      expect((fake.done.get('PutRolePolicy') ?? 0) - writes).toBeLessThan(10);
      expect(orders.map((order) => scene.usable(order))).toEqual(orders.map(() => 0));
    });
  });
});
