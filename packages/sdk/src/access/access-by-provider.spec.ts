import { describe, expect, it } from '@jest/globals';
import { accessOf } from './access-by-provider.js';
import type { AccessContext, Secret } from './tool-access.js';

const context: AccessContext = { expiresAt: '2026-11-22T14:00:00Z' };
const here: AccessContext = { ...context, pgHost: 'db.example', pgPort: '5433', pgDatabase: 'warehouse' };
const login = { username: 'someone', password: 'pw' };

describe('what tools make of a secret', () => {
  it.each<[string, string, Secret, AccessContext, unknown]>([
    [
      'an AWS session',
      'aws-sts',
      {
        accessKeyId: 'A',
        secretAccessKey: 'S',
        sessionToken: 'T',
        expiration: '2026-11-22T13:00:00Z',
        region: 'eu-west-1',
      },
      context,
      {
        family: 'aws',
        session: {
          accessKeyId: 'A',
          secretAccessKey: 'S',
          sessionToken: 'T',
          expiration: '2026-11-22T13:00:00Z',
          region: 'eu-west-1',
        },
      },
    ],
    [
      'the AWS engine of Vault, whose end is that of the lease',
      'vault',
      { access_key: 'A', secret_key: 'S', security_token: 'T' },
      here,
      {
        family: 'aws',
        session: { accessKeyId: 'A', secretAccessKey: 'S', sessionToken: 'T', expiration: context.expiresAt },
      },
    ],
    [
      'the AWS engine of Vault, for a user that has no session',
      'vault',
      { access_key: 'A', secret_key: 'S', security_token: null },
      context,
      { family: 'aws', session: { accessKeyId: 'A', secretAccessKey: 'S', expiration: context.expiresAt } },
    ],
    [
      'a database role',
      'postgres',
      {
        host: 'h',
        port: 5432,
        database: 'd',
        ...login,
        url: 'postgresql://u:p@h/d?application_name=x&sslmode=require',
      },
      here,
      { family: 'postgres', login: { host: 'h', port: '5432', database: 'd', ...login, sslmode: 'require' } },
    ],
    [
      'the database engine of Vault, where the caller says that it is PostgreSQL',
      'vault',
      login,
      here,
      { family: 'postgres', login: { host: 'db.example', port: '5433', database: 'warehouse', ...login } },
    ],
    [
      'the database engine of Vault with a database and no host',
      'vault',
      login,
      { ...context, pgDatabase: 'warehouse' },
      { family: 'postgres', login: { database: 'warehouse', ...login } },
    ],
    ['the database engine of Vault, of which nobody knows the kind', 'vault', login, context, undefined],
    ['another engine of Vault', 'vault', { service_account_token: 'x' }, here, undefined],
    [
      'a signed token',
      'signed-token',
      { token: 'a.b.c', tokenType: 'Bearer' },
      context,
      { family: 'token', token: 'a.b.c' },
    ],
    ['a provider that is not known', 'carrier-pigeon', login, here, undefined],
    ['half an AWS session', 'aws-sts', { accessKeyId: 'A' }, context, undefined],
    ['half a login', 'postgres', { username: 'someone' }, context, undefined],
    ['a token that is none', 'signed-token', {}, context, undefined],
  ])('the secret of a provider is given to tools as %s', (_what, provider, secret, given, access) => {
    expect(accessOf(provider, secret, given)).toEqual(access);
  });
});
