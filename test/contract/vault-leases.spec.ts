import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { addSeconds } from '@mayfly/kernel';
import { openSession } from './sql.js';
import { vaultServers } from './vault-server.js';
import { DATABASE_CONNECTION, VaultTarget } from './vault-target.js';

describe.each(vaultServers())('leases of vault on %s', (_, start) => {
  let target: VaultTarget;

  beforeAll(async () => {
    target = await VaultTarget.open(start);
    await target.root('POST', 'sys/mounts/pki', { type: 'pki' });
    await target.root('POST', 'pki/root/generate/internal', { common_name: 'agents.example' });
    await target.root('POST', 'pki/roles/client', {
      allow_any_name: true,
      max_ttl: '48h',
      key_type: 'ec',
      key_bits: 256,
    });
    await target.root('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } });
    await target.root('POST', 'secret/data/static', { data: { password: 'canary-static' } });
  });
  afterAll(async () => {
    await target.close();
  });

  /** The handle as it was recorded last. */
  const handleOf = (leaseId: string) => target.handles.get(leaseId)!;

  it('the vault provider makes an orphan token for exactly one path, which ends with the granted deadline', async () => {
    const order = target.orderFor({ expiresAt: addSeconds(new Date(), 120) });
    await target.mint(order);
    const { accessor, policy } = handleOf(order.leaseId);
    const { body } = await target.root('POST', 'auth/token/lookup-accessor', { accessor });
    const { data } = body as { data: Record<string, unknown> };
    expect(data).toMatchObject({
      orphan: true,
      policies: [policy],
      meta: { lease: order.leaseId, task: order.taskId, template: order.template.name },
    });
    expect(data.explicit_max_ttl).toBeLessThanOrEqual(120);
    expect(data.explicit_max_ttl).toBeGreaterThan(110);
    const { body: kept } = await target.root('GET', `sys/policies/acl/${policy}`);
    const text = '{"path":{"database/creds/reader":{"capabilities":["read"]}}}';
    expect((kept as { data: { policy: string } }).data.policy).toBe(text);
    await target.revoke(order);
  });

  it('the vault provider ends open sessions and open cursors with `endSessions`, before it says `revoked`', async () => {
    const { order, url, username } = await target.mint();
    const idle = await openSession(url);
    const reading = await openSession(url);
    await reading.client.query('BEGIN; DECLARE c CURSOR FOR SELECT generate_series(1, 100000)');
    expect((await reading.client.query('FETCH 10 FROM c')).rowCount).toBe(10);
    expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
    expect(await target.sessionsOf(username)).toBe(0);
    await Promise.all([idle.ended, reading.ended]);
    await expect(reading.client.query('FETCH 10 FROM c')).rejects.toThrow();
    await expect(openSession(url)).rejects.toMatchObject({ code: '28P01' });
  });

  it.each(['is gone', 'cannot be used'])(
    'the vault provider ends lease and token though the connection in `endSessions` %s, and is `revoked` once the sessions are ended',
    async (how) => {
      const { order, url, username } = await target.mint();
      const session = await openSession(url);
      const unusable = { provider: 'postgres', config: { url: 'postgres://nobody:wrong@127.0.0.1:1/crm' } };
      const related = how === 'is gone' ? {} : { [DATABASE_CONNECTION]: unusable };
      expect(await target.revokeOnce({ ...order, related })).toMatchObject({ kind: 'unknown' });
      expect(await target.tokensOf(order.leaseId)).toBe(0);
      expect(await target.users()).not.toContain(username);
      expect((await session.client.query('SELECT 1')).rowCount).toBe(1);
      expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
      await session.ended;
    },
  );

  it('the vault provider ends lease and token of a user whose oid was not recorded and cannot be asked for', async () => {
    const { order, username } = await target.mint();
    const { userOid: _, ...early } = handleOf(order.leaseId);
    target.handles.set(order.leaseId, early);
    const unusable = { provider: 'postgres', config: { url: 'postgres://nobody:wrong@127.0.0.1:1/crm' } };
    const outcome = await target.revokeOnce({ ...order, related: { [DATABASE_CONNECTION]: unusable } });
    expect(outcome).toMatchObject({ kind: 'unknown' });
    expect(await target.tokensOf(order.leaseId)).toBe(0);
    expect(await target.users()).not.toContain(username);
    expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
  });

  it('the vault provider ends open sessions where the statements of the engine do', async () => {
    const { order, url } = await target.mint(target.orderFor({ scope: target.scope('tidy') }));
    const session = await openSession(url);
    expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
    await session.ended;
  });

  it('the vault provider says `propagating` when nothing ends sessions, and such a session lives on', async () => {
    const scope = target.scope('reader');
    const traits = target.provider.traitsFor(target.configFor(), scope);
    expect(traits).toMatchObject({
      revocation: 'propagating',
      revocationNote: expect.stringMatching(/open session lives on/),
    });
    const { order, url } = await target.mint(target.orderFor({ scope }));
    const { client } = await openSession(url);
    expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
    expect((await client.query('SELECT 1')).rowCount).toBe(1);
    await client.end();
    await expect(openSession(url)).rejects.toMatchObject({ code: '28P01' });
  });

  it('the vault provider stretches lease and token to the new deadline, and never beyond the furthest', async () => {
    const expiresAt = addSeconds(new Date(), 60);
    const order = target.orderFor({ expiresAt, maxExpiresAt: addSeconds(expiresAt, 60) });
    await target.mint(order);
    const handle = handleOf(order.leaseId);
    const later = { ...order, expiresAt: addSeconds(expiresAt, 50) };
    const renewed = await target.provider.renew(later, handle, AbortSignal.timeout(20_000));
    expect(renewed.providerExpiresAt.getTime()).toBeGreaterThan(expiresAt.getTime());
    expect(renewed.providerExpiresAt.getTime()).toBeLessThanOrEqual(later.expiresAt.getTime());
    const tooFar = { ...order, expiresAt: addSeconds(expiresAt, 300) };
    await expect(target.provider.renew(tooFar, handle, AbortSignal.timeout(20_000))).rejects.toMatchObject({
      code: 'provider_rejected',
      extensions: { reason: 'clamped-lifetime' },
    });
    await target.revoke(order);
  });

  it('the vault provider refuses a lifetime that the engine cuts short, and leaves nothing of it', async () => {
    const order = target.orderFor({ scope: target.scope('short') });
    const before = (await target.users()).length;
    await expect(target.mint(order)).rejects.toMatchObject({
      code: 'provider_rejected',
      extensions: { reason: 'clamped-lifetime' },
    });
    expect(await target.tokensOf(order.leaseId)).toBe(0);
    expect(await target.users()).toHaveLength(before);
  });

  it('the vault provider refuses a static secret that poses as a dynamic one, and shows nothing of it', async () => {
    const order = target.orderFor({ scope: { path: 'secret/data/static', method: 'read' } });
    const refused = await target.mint(order).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'provider_rejected', extensions: { reason: 'static-secret' } });
    expect(inspect(refused, { depth: 9, showHidden: true })).not.toContain('canary-static');
    expect(await target.tokensOf(order.leaseId)).toBe(0);
    expect(await target.revoke(order)).toEqual({ kind: 'already_gone' });
  });

  it('the vault provider limits a signed credential to the granted deadline, and says that it lives until then', async () => {
    const body = { common_name: 'worker.agents.example' };
    const order = target.orderFor({ scope: { path: 'pki/issue/client', method: 'write', body } });
    const { minted } = await target.mint(order);
    expect(Object.keys(minted.secret)).toContain('private_key');
    expect(minted.providerExpiresAt.getTime()).toBeLessThanOrEqual(order.expiresAt.getTime());
    expect(target.provider.traitsFor(order.config, order.scope).revocation).toBe('expiry-only');
    expect(await target.revoke(order)).toEqual({ kind: 'impossible' });
    expect(await target.tokensOf(order.leaseId)).toBe(0);
  });

  it('the vault provider mints no more once the task was ended: the token that it had made is gone', async () => {
    const order = target.orderFor();
    const { provider } = target;
    const mint = provider.mint(order, provider.plan(order), AbortSignal.timeout(20_000), async () => false);
    await expect(mint).rejects.toMatchObject({ code: 'provider_rejected', extensions: { reason: 'too-late' } });
    expect(await target.tokensOf(order.leaseId)).toBe(0);
  });

  it('the vault provider proves a mint gone of which only the token was recorded, as after a crash', async () => {
    const order = target.orderFor({ mintBy: addSeconds(new Date(), 5) });
    const { username } = await target.mint(order);
    const { accessor, ...known } = handleOf(order.leaseId);
    const { leaseId: _, answer: __, username: ___, userOid: ____, ...planned } = known;
    target.handles.set(order.leaseId, { ...planned, accessor: accessor!, quietFrom: new Date().toISOString() });
    expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
    expect(await target.users()).not.toContain(username);
  });

  it('the vault provider waits with a mint whose answer is outstanding until nothing of it can be under way', async () => {
    const order = target.orderFor();
    await target.mint(order);
    const full = handleOf(order.leaseId);
    const { leaseId: _, answer: __, ...early } = full;
    target.handles.set(order.leaseId, early);
    expect(await target.revokeOnce(order)).toMatchObject({
      kind: 'not_yet',
      detail: expect.stringMatching(/has not answered yet/),
    });
    expect(await target.tokensOf(order.leaseId)).toBe(1);
    target.handles.set(order.leaseId, full);
    expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
  });

  it('the vault provider logs in anew when its login is lost', async () => {
    const provider = target.newProvider();
    const first = await target.mint(target.orderFor(), AbortSignal.timeout(20_000), provider);
    const { body } = await target.root('GET', 'auth/token/accessors?list=true');
    for (const accessor of (body as { data: { keys: string[] } }).data.keys) {
      const { body: look } = await target.root('POST', 'auth/token/lookup-accessor', { accessor });
      const { path } = (look as { data?: { path?: string } }).data ?? {};
      if (path === 'auth/jwt/login') await target.root('POST', 'auth/token/revoke-accessor', { accessor });
    }
    const second = await target.mint(target.orderFor(), AbortSignal.timeout(20_000), provider);
    expect(await target.revoke(first.order, provider)).toEqual({ kind: 'revoked' });
    expect(await target.revoke(second.order, provider)).toEqual({ kind: 'revoked' });
    await provider.close();
  });

  it('the vault provider logs in by approle, and names the fault of a refused login', async () => {
    const data = async (method: string, path: string) =>
      ((await target.root(method, path)).body as { data: Record<string, string> }).data;
    const { role_id: roleId } = await data('GET', 'auth/approle/role/mayfly/role-id');
    const { secret_id: secretId } = await data('POST', 'auth/approle/role/mayfly/secret-id');
    const order = target.orderFor({ config: target.configFor({ auth: { method: 'approle', roleId, secretId } }) });
    await target.mint(order);
    expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
    const wrong = target.configFor({ auth: { method: 'approle', roleId, secretId: 'canary' } });
    await expect(target.mint(target.orderFor({ config: wrong }))).rejects.toMatchObject({
      extensions: { reason: 'login-lost' },
    });
  });

  it('the vault provider works inside a namespace, and reports a missing one', async () => {
    await target.root('POST', 'sys/namespaces/team', {});
    await target.setUpServer('team');
    await target.setUpDatabaseEngine('team');
    const order = target.orderFor({ config: target.configFor({ namespace: 'team' }) });
    await target.mint(order);
    expect(handleOf(order.leaseId).leaseId).toMatch(/^database\/creds\/reader\/\w+\.\w+$/);
    expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
    const nowhere = target.orderFor({ config: target.configFor({ namespace: 'nowhere' }) });
    await expect(target.mint(nowhere)).rejects.toMatchObject({
      extensions: { reason: expect.stringMatching(/namespace-missing|login-lost/) },
    });
  });

  it('the vault provider tries a connection and says what it found', async () => {
    const config = target.configFor({ engines: [{ mount: 'database' }, { mount: 'secret' }] });
    const report = await target.provider.probe(config, AbortSignal.timeout(20_000));
    const outcomes = Object.fromEntries(report.checks.map(({ name, outcome }) => [name, outcome]));
    expect(outcomes).toMatchObject({
      'reach the server': 'ok',
      'log in': 'ok',
      'token role mayfly': 'ok',
      'update on sys/leases/revoke': 'ok',
      'create and update on sys/policies/acl/mayfly-*': 'ok',
      'list and sudo on sys/leases/lookup/database/creds/*': 'ok',
      'list and sudo on sys/leases/lookup/secret/creds/*': 'missing',
      'engine at database': 'ok',
      'engine at secret': 'missing',
    });
    expect(Math.abs(report.clockOffsetSeconds ?? 99)).toBeLessThan(5);
    expect(report.loginAgeSeconds).toBeGreaterThanOrEqual(0);
  });

  it('the examination reports a role that ends no session, and a path without dynamic credentials', async () => {
    const examine = (path: string) =>
      target.provider.examine(target.configFor(), { path, method: 'read' }, AbortSignal.timeout(20_000));
    expect(await examine('database/creds/reader')).toEqual([expect.stringMatching(/do not end open sessions/)]);
    expect(await examine('database/creds/tidy')).toEqual([]);
    expect(await examine('database/static-creds/x')).toEqual([expect.stringMatching(/has no dynamic credentials/)]);
    expect(await examine('secret/data/static')).toEqual([expect.stringMatching(/does not tell/)]);
  });

  it('the vault provider finds users of the engine that no lease knows', async () => {
    const { order } = await target.mint();
    const lost = target.orderFor();
    await target.mint(lost);
    const related = order.related![DATABASE_CONNECTION]!;
    const { username } = handleOf(lost.leaseId);
    const found = await target.provider.orphans(related, [handleOf(order.leaseId)], AbortSignal.timeout(20_000));
    expect(found).toContain(username);
    expect(found).not.toContain(handleOf(order.leaseId).username);
    for (const each of [order, lost]) await target.revoke(each);
  });

  it('the vault provider leaves nothing behind after this suite', async () => {
    expect(await target.users()).toEqual([]);
  });
});
