import { describe } from '@jest/globals';
import type { VaultConfig, VaultHandle, VaultScope } from '@mayfly/provider-vault';
import { providerConformanceSuite, type ProviderSubject } from '@mayfly/testing';
import { secretText } from './crm-database.js';
import { openSession, rows } from './sql.js';
import { vaultServers, type VaultServer } from './vault-server.js';
import { DATABASE_CONNECTION, VaultTarget } from './vault-target.js';

describe.each(vaultServers())('vault on %s', (_, start) => {
  const abilities = { remote: true, renewable: true, refusesScopes: true, stalls: true, usable: true };
  providerConformanceSuite('vault', abilities, () => subjectAt(start));
});

async function subjectAt(
  start: () => Promise<VaultServer>,
): Promise<ProviderSubject<VaultConfig, VaultScope, VaultHandle>> {
  const target = await VaultTarget.open(start);
  const { related, scope } = target.orderFor();
  return {
    // the suite knows of no other connections
    provider: withRelated(target, related),
    config: target.configFor(),
    scope,
    now: () => new Date(),
    isAlive: (secret) => canRead(target, secret),
    isPresent: async ({ lease, leaseId }) => {
      const state =
        leaseId === undefined ? undefined : await target.root('POST', 'sys/leases/lookup', { lease_id: leaseId });
      return state?.status === 200 || (await target.tokensOf(lease)) > 0;
    },
    secretTexts: (secret) => [secretText(secret, 'password')],
    refusedScope: { path: 'database/creds/nobody', method: 'read', endSessions: DATABASE_CONNECTION },
    brokenConfigs: [
      target.configFor({ address: 'http://127.0.0.1:1' }),
      target.configFor({ auth: { method: 'token', token: 'canary-token' } }),
      target.configFor({ auth: { method: 'approle', roleId: 'canary-role', secretId: 'canary-secret' } }),
      target.configFor({ namespace: 'canary-namespace' }),
    ],
    canaries: ['canary-', target.server.rootToken, new URL(target.crm.url).password],
    stall: () => holdRoles(target),
    close: () => target.close(),
  };
}

function withRelated(target: VaultTarget, related: object | undefined): VaultTarget['provider'] {
  return new Proxy(target.provider, {
    get(provider, name) {
      const member: unknown = Reflect.get(provider, name);
      if (typeof member !== 'function') return member;
      if (!['mint', 'revoke', 'use'].includes(String(name))) return member.bind(provider) as unknown;
      return (order: object, ...rest: unknown[]): unknown =>
        member.call(provider, { ...order, related }, ...rest) as unknown;
    },
  });
}

async function canRead(target: VaultTarget, secret: Readonly<Record<string, unknown>>): Promise<boolean> {
  const url = new URL(target.crm.loginUrl);
  [url.username, url.password] = [secretText(secret, 'username'), secretText(secret, 'password')];
  try {
    return (await rows(url.href, 'SELECT id FROM emea.customers')).length === 1;
  } catch {
    return false;
  }
}

/** While somebody has the server's table of roles, the engine's statements wait. */
async function holdRoles(target: VaultTarget) {
  const { client } = await openSession(target.crm.superuserUrl);
  await client.query('BEGIN; LOCK TABLE pg_authid IN SHARE ROW EXCLUSIVE MODE');
  const reached = async (): Promise<void> => {
    const waiting = "SELECT FROM pg_locks WHERE relation = 'pg_authid'::regclass AND NOT granted";
    while ((await client.query(waiting)).rowCount === 0);
  };
  return { reached, release: () => client.end() };
}
