import { describe, expect, it } from '@jest/globals';
import { PostgresConfigSchema, PostgresHandleSchema, PostgresScopeSchema } from './postgres.schemas.js';

const GRANT = { schema: 'emea', tables: ['cases'], verbs: ['select'] };
const many = (count: number): string[] => Array.from({ length: count }, (_, at) => `t${String(at)}`);

describe('PostgresScopeSchema', () => {
  it.each([
    ['one table', [GRANT]],
    ['all verbs', [{ ...GRANT, verbs: ['select', 'insert', 'update', 'delete'] }]],
    ['names that need quotes', [{ ...GRANT, schema: 'E"M EA', tables: ["it's; --", 'ü'.repeat(31)] }]],
    ['the most there may be', Array.from({ length: 32 }, () => ({ ...GRANT, tables: many(64) }))],
  ])('PostgresScopeSchema takes %s', (_, grants) => {
    expect(PostgresScopeSchema.parse({ grants })).toEqual({ grants });
  });

  it.each([
    ['no grant', []],
    ['too many grants', Array.from({ length: 33 }, () => GRANT)],
    ['no table', [{ ...GRANT, tables: [] }]],
    ['too many tables', [{ ...GRANT, tables: many(65) }]],
    ['a table twice', [{ ...GRANT, tables: ['cases', 'cases'] }]],
    ['no verb', [{ ...GRANT, verbs: [] }]],
    ['a verb twice', [{ ...GRANT, verbs: ['select', 'select'] }]],
    ['an unknown verb', [{ ...GRANT, verbs: ['truncate'] }]],
    ['a verb in capitals', [{ ...GRANT, verbs: ['SELECT'] }]],
    ['an empty name', [{ ...GRANT, tables: [''] }]],
    ['a name that PostgreSQL would cut', [{ ...GRANT, tables: ['t'.repeat(64)] }]],
    ['a name whose bytes PostgreSQL would cut', [{ ...GRANT, tables: ['ü'.repeat(32)] }]],
    ['a name with NUL', [{ ...GRANT, tables: ['a\0b'] }]],
    ['a name that UTF-8 cannot hold', [{ ...GRANT, tables: ['a\ud800'] }]],
    ['a catalog', [{ ...GRANT, schema: 'pg_catalog' }]],
    ['the information schema', [{ ...GRANT, schema: 'information_schema' }]],
    ['an unknown member', [{ ...GRANT, columns: ['id'] }]],
  ])('PostgresScopeSchema refuses %s', (_, grants) => {
    expect(PostgresScopeSchema.safeParse({ grants }).success).toBe(false);
  });
});

describe('PostgresConfigSchema', () => {
  it('PostgresConfigSchema takes a reference in place of the URL, and fills in the rest', () => {
    expect(PostgresConfigSchema.parse({ url: 'env:CRM_DATABASE_URL' })).toEqual({
      url: 'env:CRM_DATABASE_URL',
      scramIterations: 4096,
      maxConnections: 5,
    });
  });

  it.each(['db.example', '10.0.0.7', '::1', '2001:db8::7', '/var/run/postgresql'])(
    'PostgresConfigSchema takes the host %s',
    (host) => {
      const address = { host, port: 5432 };
      expect(PostgresConfigSchema.parse({ url: 'env:X', address }).address).toEqual(address);
    },
  );

  it.each([
    ['no URL', {}],
    ['a URL of another kind', { url: 'mysql://u@h/d' }],
    ['no rounds', { url: 'env:X', scramIterations: 0 }],
    ['too many rounds', { url: 'env:X', scramIterations: 100_001 }],
    ['no connection', { url: 'env:X', maxConnections: 0 }],
    ['half an address', { url: 'env:X', address: { host: 'db.example' } }],
    ['an unknown key', { url: 'env:X', password: 'x' }],
    ['a certificate that is none', { url: 'env:X', sslRootCert: 'MIIB' }],
    ...['[::1]', '127.0.0.1:5432', 'tcp://db.example', ' db.example', 'db.example/crm', 'u@db.example'].map(
      (host) => [`the host ${host} in the address`, { url: 'env:X', address: { host, port: 5432 } }] as const,
    ),
  ])('PostgresConfigSchema refuses %s', (_, config) => {
    expect(PostgresConfigSchema.safeParse(config).success).toBe(false);
  });
});

describe('PostgresHandleSchema', () => {
  const handle = { role: `mayfly_${'0'.repeat(26)}`, scopeRole: `mayfly_scope_${'0'.repeat(40)}` };
  it.each([
    [true, handle],
    [false, { ...handle, role: 'postgres' }],
    [false, { ...handle, role: `mayfly_scope_${'0'.repeat(40)}` }],
    [false, { ...handle, role: `${handle.role}"; DROP ROLE x` }],
    [false, { ...handle, scopeRole: 'pg_read_all_data' }],
  ])('PostgresHandleSchema is %s for %j', (valid, value) => {
    expect(PostgresHandleSchema.safeParse(value).success).toBe(valid);
  });
});
