import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'pg-connection-string';
import { addressOf, leaseUrl } from './address.js';
import { PostgresConfigSchema } from './postgres.schemas.js';

const addressIn = (url: string, address?: { host: string; port: number }): ReturnType<typeof addressOf> =>
  addressOf(PostgresConfigSchema.parse({ url, address }));

describe('addressOf', () => {
  it.each([
    ['postgresql://u:p@db.example:6432/crm', { host: 'db.example', port: 6432, database: 'crm', sslmode: undefined }],
    ['postgres://u:p@db.example/crm', { host: 'db.example', port: 5432, database: 'crm', sslmode: undefined }],
    ['postgresql://u:p@[::1]/crm', { host: '::1', port: 5432, database: 'crm', sslmode: undefined }],
    [
      'postgresql://u:p@h/c%20rm?sslmode=verify-full',
      { host: 'h', port: 5432, database: 'c rm', sslmode: 'verify-full' },
    ],
    ['postgresql://u:p@h/eu%2Fcrm', { host: 'h', port: 5432, database: 'eu/crm', sslmode: undefined }],
    ['postgresql://u:p@h/crm%3Aeu', { host: 'h', port: 5432, database: 'crm:eu', sslmode: undefined }],
    ['postgresql://u:p@h/a%3Fb%23c', { host: 'h', port: 5432, database: 'a?b#c', sslmode: undefined }],
    ['postgresql://u:p@h/crm?sslmode=no-verify', { host: 'h', port: 5432, database: 'crm', sslmode: 'require' }],
    [
      'postgresql://u:p@h/crm?uselibpqcompat=true&sslmode=require',
      { host: 'h', port: 5432, database: 'crm', sslmode: 'require' },
    ],
  ])('addressOf reads %s', (url, address) => {
    expect(addressIn(url)).toEqual(address);
  });

  it('addressOf prefers what the connection says for agents', () => {
    const address = { host: 'outside.example', port: 15432 };
    expect(addressIn('postgresql://u:p@inside/crm', address)).toMatchObject({ ...address, database: 'crm' });
  });

  it.each([
    'postgresql://canary:canary@h',
    'postgresql://canary:canary@/crm',
    'postgresql://canary:canary@h:canary/crm',
    'env:CANARY_canary',
    'postgresql://canary:canary@h/%canary',
    'postgresql://canary:canary@h/crm?sslmode=canary',
  ])('addressOf refuses %s without showing it', (url) => {
    let problem: unknown;
    try {
      addressIn(url);
    } catch (error) {
      problem = error;
    }
    expect(problem).toMatchObject({ code: 'provider_rejected' });
    expect(inspect(problem, { depth: 9, showHidden: true }).replaceAll(/\n +at .*/g, '')).not.toContain('canary');
  });
});

describe('leaseUrl', () => {
  it.each([
    ['db.example', 'crm', undefined],
    ['::1', 'c rm', 'require'],
    ['/var/run/postgresql', 'crm', undefined],
  ])('leaseUrl is read by clients as it was meant (%s, %s, %s)', (host, database, sslmode) => {
    const url = leaseUrl({ host, port: 6432, database, sslmode: undefined }, 'mayfly_x', 'p-_w');
    expect(parse(url)).toMatchObject({ host, port: '6432', database, user: 'mayfly_x', password: 'p-_w' });
    const secured = leaseUrl({ host, port: 6432, database, sslmode }, 'mayfly_x', 'p-_w');
    expect(new URL(secured).searchParams.get('sslmode')).toBe(sslmode ?? null);
  });
});
