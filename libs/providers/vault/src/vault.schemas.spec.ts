import { describe, expect, it } from '@jest/globals';
import { policyName, policyText } from './lease-policy.js';
import { vaultConfigSchema, VaultScopeSchema } from './vault.schemas.js';

const inProduction = vaultConfigSchema({ allowPlainHttp: false, allowTokenAuth: false });
const address = 'https://vault.internal:8200';
const auth = { method: 'jwt', role: 'mayfly' };

describe('a connection to vault', () => {
  it('a connection to vault has defaults that need nothing but address and login', () => {
    expect(inProduction.parse({ address, auth })).toEqual({
      address,
      auth: { method: 'jwt', role: 'mayfly', mount: 'jwt' },
      tokenRole: 'mayfly',
      concurrency: 8,
      maxTtlSeconds: 43_200,
    });
  });

  it.each([
    ['plain http', { address: 'http://vault.internal', auth }],
    ['a fixed token', { address, auth: { method: 'token', token: 'env:TOKEN' } }],
    ['a namespace that climbs', { address, auth, namespace: '../admin' }],
    ['a namespace with a header in it', { address, auth, namespace: 'a\r\nX-Vault-Token: b' }],
    ['a namespace with a slash at its end', { address, auth, namespace: 'a/' }],
    ['a mount that climbs', { address, auth: { ...auth, mount: '../sys' } }],
    ['a token role with a path in it', { address, auth, tokenRole: 'a/b' }],
    ['certificates that are none', { address, auth, tls: { ca: 'yes' } }],
    ['unknown members', { address, auth, skipVerify: true }],
  ])('a connection to vault refuses %s', (_, config) => {
    expect(inProduction.safeParse(config).success).toBe(false);
  });
});

describe('a scope of vault', () => {
  it.each(['database/creds/reader', 'teams/db/creds/read.only', 'kubernetes/creds/x-1', 'rabbitmq/creds/a_b'])(
    'a scope of vault takes %s',
    (path) => {
      expect(VaultScopeSchema.safeParse({ path, method: 'read' }).success).toBe(true);
    },
  );

  it.each([
    'sys/leases/revoke',
    'SYS/mounts',
    'auth/token/create',
    'identity/entity',
    'team/sys/policies/acl/mine',
    'team/sub/auth/token/create',
    'cubbyhole/x',
    'database',
    '/database/creds/x',
    'database/creds/x/',
    'database//creds',
    'database/../sys/mounts',
    'database/./creds',
    'database/.../creds',
    'database/creds/*',
    'database/+/x',
    'database/creds/x?list=true',
    'database/creds/%2e%2e',
    'database/creds/x#y',
    'database\\creds\\x',
    'database/creds/x\n',
    'database/creds/é',
    'database/creds/a b',
    `database/creds/${'x'.repeat(600)}`,
  ])('a scope of vault refuses %j', (path) => {
    expect(VaultScopeSchema.safeParse({ path, method: 'read' }).success).toBe(false);
  });

  it.each([
    ['a body on a read', { path: 'database/creds/x', method: 'read', body: {} }],
    ['signing by a read', { path: 'pki/issue/x', method: 'read' }],
    [
      'a lifetime of its own where something is signed',
      { path: 'pki/issue/x', method: 'write', body: { ttl: '8760h' } },
    ],
    [
      'an end of its own where something is signed',
      { path: 'pki/sign/x', method: 'write', body: { not_after: '2099-01-01T00:00:00Z' } },
    ],
    ['sessions of what is signed', { path: 'ssh/sign/x', method: 'write', body: {}, endSessions: 'crm' }],
    ['a method of its own', { path: 'database/creds/x', method: 'delete' }],
    ['a namespace', { path: 'database/creds/x', method: 'read', namespace: 'admin' }],
  ])('a scope of vault refuses %s', (_, scope) => {
    expect(VaultScopeSchema.safeParse(scope).success).toBe(false);
  });
});

describe('the policy of a lease', () => {
  it('the policy of a lease allows one path in one way, and is named after what it says', () => {
    const read = { path: 'database/creds/reader', method: 'read' } as const;
    expect(policyText(read)).toBe('{"path":{"database/creds/reader":{"capabilities":["read"]}}}');
    expect(policyText({ ...read, method: 'write' })).toContain('["create","update"]');
    expect(policyName(read)).toMatch(/^mayfly-[0-9a-f]{40}$/);
    expect(policyName(read)).not.toBe(policyName({ ...read, method: 'write' }));
    expect(policyName(read)).not.toBe(policyName({ ...read, path: 'database/creds/writer' }));
  });
});
