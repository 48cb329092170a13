import { inspect } from 'node:util';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { RevocationOutcome } from '@mayfly/credentials';
import { run } from './sql.js';
import type { VaultFake } from './vault-fake/vault-fake.js';
import { documentedPolicy } from './vault-documented.js';
import { startFake } from './vault-server.js';
import { VaultTarget, type Order } from './vault-target.js';

/** Cases that need a server which breaks on purpose. */
describe('failures of vault', () => {
  let target: VaultTarget;
  let fake: VaultFake;

  beforeAll(async () => {
    target = await VaultTarget.open(async () => {
      const server = await startFake();
      fake = server.fake;
      return server;
    });
  });
  afterEach(async () => {
    Object.assign(fake, { isSealed: false, isStandby: false, rateLimited: 0, frozen: undefined });
    fake.database.isDown = false;
    for (const user of await target.users()) await run(target.crm.superuserUrl, `DROP ROLE "${user}"`);
  });
  afterAll(async () => {
    await target.close();
  });

  async function failureOf(order: Order, signal?: AbortSignal): Promise<unknown> {
    const failure = await target.mint(order, signal).then(
      () => 'minted',
      (error: unknown) => error,
    );
    expectNothingTold(failure);
    return failure;
  }
  /** Neither tokens nor names nor addresses. */
  function expectNothingTold(told: unknown): void {
    const text = inspect(told, { depth: 12, showHidden: true }).replace(/\n\s+at .*/g, '');
    for (const canary of [target.crm.admin, '127.0.0.1', target.server.rootToken, 'canary']) {
      expect(text).not.toContain(canary);
    }
    expect(text).not.toMatch(/\bs\.[0-9a-f]{24}/);
  }

  it.each(['reset', '500', 'role without a lease'] as const)(
    'the vault provider ends what a mint left whose answer was lost (%s)',
    async (how) => {
      const order = target.orderFor();
      fake.interrupt('database/creds/', how);
      expect(await failureOf(order)).toMatchObject({ code: 'provider_unavailable' });
      expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
      expect(await target.tokensOf(order.leaseId)).toBe(0);
      if (how !== 'role without a lease') {
        expect(await target.users()).toEqual([]);
        return;
      }
      // the server knows nothing of it either: it is found by comparing, and reported
      const [user] = await target.provider.orphans(order.related!.crm!, [], AbortSignal.timeout(20_000));
      expect(await target.users()).toEqual([user]);
      await run(target.crm.superuserUrl, `DROP ROLE "${user!}"`);
    },
  );

  it.each([
    ['page of a gateway', 95],
    ['reset', 95],
    ['500', 0],
  ] as const)(
    'the vault provider holds a server to be quiet as its own answer says, or by its own bound (%s)',
    async (how, seconds) => {
      const provider = target.newProvider({});
      const order = target.orderFor();
      const began = Date.now();
      fake.interrupt('database/creds/', how);
      await expect(target.mint(order, AbortSignal.timeout(20_000), provider)).rejects.toMatchObject({
        code: 'provider_unavailable',
      });
      const handle = target.handles.get(order.leaseId)!;
      const quietAfter = (new Date(handle.quietFrom).getTime() - began) / 1000;
      expect(Math.abs(quietAfter - seconds)).toBeLessThan(5);
      if (seconds > 0) expect(await target.revokeOnce(order, provider)).toMatchObject({ kind: 'not_yet' });
      target.handles.set(order.leaseId, { ...handle, quietFrom: new Date().toISOString() });
      expect(await target.revoke(order, provider)).toEqual({ kind: 'revoked' });
      await provider.close();
    },
  );

  it('the vault provider ends what a mint left whose answer never comes', async () => {
    const order = target.orderFor();
    fake.interrupt('database/creds/', 'hang');
    const deadline = new AbortController();
    const failing = failureOf(order, deadline.signal);
    await until(async () => (await target.users()).length === 1);
    deadline.abort();
    expect(await failing).toMatchObject({ code: 'provider_unavailable', extensions: { reason: 'timeout' } });
    expect(await target.revokeOnce(order)).toMatchObject({ kind: 'not_yet' });
    // as the worker finds it once no call can be under way any more
    target.handles.set(order.leaseId, { ...target.handles.get(order.leaseId)!, quietFrom: new Date().toISOString() });
    expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
    expect(await target.users()).toEqual([]);
    fake.cutConnections();
  });

  it('the vault provider ends the result of an abandoned mint at a server that was stopped', async () => {
    const order = target.orderFor();
    const deadline = new AbortController();
    let thaw = (): void => undefined;
    const { provider } = target;
    const minting = provider.mint(order, provider.plan(order), deadline.signal, async (handle) => {
      if (handle.leaseId === undefined) fake.frozen = new Promise((resolve) => (thaw = resolve));
      target.handles.set(order.leaseId, handle);
      return true;
    });
    const failing = expect(minting).rejects.toMatchObject({ code: 'provider_unavailable' });
    await until(async () => fake.frozen !== undefined);
    await pause(50);
    deadline.abort();
    await failing;
    fake.frozen = undefined;
    thaw();
    await until(async () => target.handles.get(order.leaseId)?.leaseId !== undefined);
    expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
    expect(await target.tokensOf(order.leaseId)).toBe(0);
    expect(await target.users()).toEqual([]);
  });

  it('the vault provider closes all that was due while the server was sealed', async () => {
    const leases = await Promise.all(Array.from({ length: 60 }, () => target.mint()));
    const revokeAll = (): Promise<RevocationOutcome[]> =>
      Promise.all(leases.map(({ order }) => target.revokeOnce(order)));
    fake.isSealed = true;
    const unreached = { kind: 'unknown', retryAfterSeconds: 10, unreached: true };
    for (const outcome of await revokeAll()) expect(outcome).toMatchObject(unreached);
    expect(await failureOf(target.orderFor())).toMatchObject({
      code: 'provider_unavailable',
      extensions: { reason: 'sealed' },
    });
    fake.isSealed = false;
    for (const outcome of await revokeAll()) expect(outcome).toEqual({ kind: 'revoked' });
    expect(fake.leases.count).toBe(0);
    expect(await target.users()).toEqual([]);
  });

  it('the vault provider says in vault’s own words, without names, that the database behind an engine is down', async () => {
    const { order } = await target.mint();
    fake.database.isDown = true;
    const outcome = await target.revoke(order);
    expect(outcome).toMatchObject({
      kind: 'unknown',
      detail: expect.stringMatching(/failed to revoke entry.*connection refused/),
    });
    // the server was reached: leases of its other engines can be ended
    expect(outcome).not.toHaveProperty('unreached');
    expectNothingTold(outcome);
    const refused = target.orderFor();
    expect(await failureOf(refused)).toMatchObject({
      code: 'provider_unavailable',
      extensions: { reason: 'engine-unavailable' },
    });
    fake.database.isDown = false;
    expect(await target.revoke(refused)).toEqual({ kind: 'revoked' });
    expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
  });

  it('the vault provider keeps a lease that vault has given up on open, and closes it once its cause is gone', async () => {
    const { order } = await target.mint();
    fake.database.isDown = true;
    fake.leases.backoffMs = 1;
    fake.tokens.revokeAccessor(target.handles.get(order.leaseId)!.accessor!);
    await until(async () => {
      const outcome = await target.revokeOnce(order);
      expectNothingTold(outcome);
      return outcome.kind === 'unknown' && outcome.detail.includes('irrevocable');
    });
    fake.database.isDown = false;
    expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
  });

  it('the vault provider keeps to the pause that the server asks for, and follows no redirect of a standby', async () => {
    fake.rateLimited = 1;
    expect(await failureOf(target.orderFor())).toMatchObject({
      code: 'provider_unavailable',
      retryAfterSeconds: 1,
      extensions: { reason: 'rate-limited' },
    });
    fake.isStandby = true;
    expect(await failureOf(target.orderFor())).toMatchObject({ extensions: { reason: 'standby' } });
  });

  it('the vault provider mints nothing without a login, and revokes once there is one again', async () => {
    const { order } = await target.mint();
    const login = { role_type: 'jwt', user_claim: 'sub', bound_audiences: [target.server.address], token_ttl: '600s' };
    const set = (subject: string) =>
      target.root('POST', 'auth/jwt/role/mayfly', {
        ...login,
        bound_subject: subject,
        token_policies: ['mayfly-broker'],
      });
    await set('somebody-else');
    fake.loseLogins();
    expect(await failureOf(target.orderFor())).toMatchObject({
      code: 'provider_rejected',
      extensions: { reason: 'login-lost' },
    });
    expect(await target.revoke(order)).toMatchObject({ kind: 'unknown', detail: expect.stringMatching(/login/) });
    await set('mayfly');
    expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
  });

  it.each([
    ['its login can be looked at', {}, 1],
    ['it cannot', { 'auth/token/lookup-self': { capabilities: ['deny'] } }, 2],
  ])('the vault provider does not log in again and again for a right that is missing (%s)', async (_, path, logins) => {
    const provider = target.newProvider();
    const { order } = await target.mint(target.orderFor(), AbortSignal.timeout(20_000), provider);
    await target.root('POST', 'sys/policies/acl/mayfly-broker', { policy: JSON.stringify({ path }) });
    const before = fake.calls.filter((call) => call.endsWith('/login')).length;
    target.clock = { now: () => new Date(Date.now() + 31_000) };
    for (let turn = 0; turn < 3; turn += 1)
      expect(await target.revokeOnce(order, provider)).toMatchObject({ kind: 'unknown' });
    const made = fake.calls.filter((call) => call.endsWith('/login')).length - before;
    target.clock = { now: () => new Date() };
    await target.root('POST', 'sys/policies/acl/mayfly-broker', { policy: documentedPolicy() });
    expect(made).toBe(logins - 1);
    expect(await target.revoke(order, provider)).toEqual({ kind: 'revoked' });
    await provider.close();
  });

  it('the vault provider writes a policy again that was removed', async () => {
    const first = await target.mint();
    const { policy } = target.handles.get(first.order.leaseId)!;
    await target.root('DELETE', `sys/policies/acl/${policy}`);
    expect(await failureOf(target.orderFor())).toMatchObject({ extensions: { reason: 'permission-denied' } });
    const second = await target.mint();
    for (const { order } of [first, second]) expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
  });

  it('the vault provider refuses a token role that makes tokens which end with the login', async () => {
    const role = { renewable: true, allowed_policies_glob: ['mayfly-*'], token_no_default_policy: true };
    await target.root('POST', 'auth/token/roles/mayfly', { ...role, orphan: false });
    expect(await failureOf(target.orderFor())).toMatchObject({
      code: 'provider_rejected',
      detail: expect.stringMatching(/^the token role gives tokens that are not orphans .*; correct it/),
      extensions: { reason: 'bad-answer' },
    });
    const { checks } = await target.provider.probe(target.configFor(), AbortSignal.timeout(20_000));
    expect(checks).toContainEqual({
      name: 'token role mayfly',
      outcome: 'failed',
      detail: expect.stringMatching(/^`orphan` is not true: .*; correct the token role$/),
    });
    await target.root('POST', 'auth/token/roles/mayfly', { ...role, orphan: true });
  });

  it('the vault provider takes nothing from the environment', async () => {
    const strangers = {
      VAULT_TOKEN: 'canary',
      VAULT_NAMESPACE: 'canary',
      VAULT_PREFIX: '/canary',
      VAULT_ADDR: 'http://127.0.0.1:1',
      HTTP_PROXY: 'http://127.0.0.1:1',
    };
    Object.assign(process.env, strangers);
    try {
      const provider = target.newProvider();
      const { order } = await target.mint(target.orderFor(), AbortSignal.timeout(20_000), provider);
      expect(await target.revoke(order, provider)).toEqual({ kind: 'revoked' });
      await provider.close();
    } finally {
      for (const name of Object.keys(strangers)) Reflect.deleteProperty(process.env, name);
    }
  });
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await pause(20);
}
