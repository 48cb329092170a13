import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { PostgresScope } from './postgres.schemas.js';
import { differences, privilegesOf, repairs, scopeRoleName, type Privilege } from './scope-privileges.js';

const SCOPE: PostgresScope = { grants: [{ schema: 'emea', tables: ['cases', 'notes'], verbs: ['select', 'insert'] }] };
const table = (name: string, privilege: string): Privilege => ({ kind: 'TABLE', schema: 'emea', name, privilege });
const nameOf = (database: string, scope: PostgresScope): string =>
  scopeRoleName('mayfly_lessor', privilegesOf(database, scope));

describe('privilegesOf', () => {
  it('privilegesOf is the database, the schema and each verb on each table', () => {
    expect(privilegesOf('crm', SCOPE)).toEqual([
      { kind: 'DATABASE', schema: null, name: 'crm', privilege: 'CONNECT' },
      { kind: 'SCHEMA', schema: null, name: 'emea', privilege: 'USAGE' },
      table('cases', 'INSERT'),
      table('cases', 'SELECT'),
      table('notes', 'INSERT'),
      table('notes', 'SELECT'),
    ]);
  });
});

describe('scopeRoleName', () => {
  it('scopeRoleName fits into the 63 bytes of a name', () => {
    expect(nameOf('crm', SCOPE)).toMatch(/^mayfly_scope_[0-9a-f]{40}$/);
  });

  it('scopeRoleName is another one for another maker, who could not pass on a role that it did not make', () => {
    const privileges = privilegesOf('crm', SCOPE);
    expect(scopeRoleName('lessor_b', privileges)).not.toBe(scopeRoleName('lessor_a', privileges));
  });

  it('scopeRoleName is the same however the scope was written down', () => {
    const split: PostgresScope = {
      grants: [
        { schema: 'emea', tables: ['notes'], verbs: ['insert', 'select'] },
        { schema: 'emea', tables: ['cases'], verbs: ['insert'] },
        { schema: 'emea', tables: ['cases'], verbs: ['select', 'insert'] },
      ],
    };
    expect(nameOf('crm', split)).toBe(nameOf('crm', SCOPE));
  });

  it.each<[string, string, PostgresScope['grants'][number]]>([
    ['another database', 'hr', { schema: 'emea', tables: ['cases', 'notes'], verbs: ['select', 'insert'] }],
    ['another schema', 'crm', { schema: 'apac', tables: ['cases', 'notes'], verbs: ['select', 'insert'] }],
    ['another table', 'crm', { schema: 'emea', tables: ['cases'], verbs: ['select', 'insert'] }],
    ['another verb', 'crm', { schema: 'emea', tables: ['cases', 'notes'], verbs: ['select'] }],
    ['names run together', 'crm', { schema: 'emea', tables: ['cases","notes'], verbs: ['select', 'insert'] }],
  ])('scopeRoleName is another one for %s', (_, database, grant) => {
    expect(nameOf(database, { grants: [grant] })).not.toBe(nameOf('crm', SCOPE));
  });
});

describe('repairs', () => {
  const wanted = privilegesOf('crm', SCOPE);
  const role = 'mayfly_scope_x';

  it('repairs are everything for a new role, one statement an object', () => {
    expect(repairs(role, [], wanted)).toEqual([
      'GRANT CONNECT ON DATABASE "crm" TO "mayfly_scope_x"',
      'GRANT USAGE ON SCHEMA "emea" TO "mayfly_scope_x"',
      'GRANT INSERT, SELECT ON TABLE "emea"."cases" TO "mayfly_scope_x"',
      'GRANT INSERT, SELECT ON TABLE "emea"."notes" TO "mayfly_scope_x"',
    ]);
  });

  it('repairs are nothing for a role that is in order', () => {
    expect(repairs(role, [...wanted].reverse(), wanted)).toEqual([]);
  });

  it.each([
    ['a verb', table('cases', 'DELETE')],
    ['the right to pass on', table('cases', 'SELECT*')],
    ['a column', table('cases', 'UPDATE (note)')],
  ])('repairs take everything from a table where %s was granted besides, and give it back', (_, extra) => {
    expect(repairs(role, [...wanted, extra], wanted)).toEqual([
      'REVOKE ALL ON TABLE "emea"."cases" FROM "mayfly_scope_x"',
      'GRANT INSERT, SELECT ON TABLE "emea"."cases" TO "mayfly_scope_x"',
    ]);
  });

  it('repairs take what the scope does not name at all', () => {
    const extra: Privilege = { kind: 'SEQUENCE', schema: 'emea', name: 'ids', privilege: 'USAGE' };
    expect(repairs(role, [...wanted, extra], wanted)).toEqual([
      'REVOKE ALL ON SEQUENCE "emea"."ids" FROM "mayfly_scope_x"',
    ]);
  });

  it('repairs quote every name, with any content', () => {
    const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }).filter((text) => !text.includes('\0'));
    fc.assert(
      fc.property(name, name, (schema, tableName) => {
        const [, , statement = ''] = repairs(role, [], privilegesOf('crm', { grants: [grantOn(schema, tableName)] }));
        const quoted = [schema, tableName].map((text) => `"${text.replaceAll('"', '""')}"`).join('.');
        expect(statement).toBe(`GRANT SELECT ON TABLE ${quoted} TO "mayfly_scope_x"`);
      }),
    );
  });
});

describe('differences', () => {
  const wanted = privilegesOf('crm', SCOPE);
  it.each<[string, readonly Privilege[], string[], string[]]>([
    ['nothing for the same in another order', [...wanted].reverse(), [], []],
    ['nothing for the same granted by two', [...wanted, ...wanted], [], []],
    ['what is lacking', wanted.slice(1), ['CONNECT on database `crm`'], []],
    ['what is too much', [...wanted, table('pay', 'SELECT*')], [], ['SELECT WITH GRANT OPTION on table `emea.pay`']],
  ])('differences name %s', (_, held, lacking, surplus) => {
    expect(differences(held, wanted)).toEqual({ lacking, surplus });
  });
});

function grantOn(schema: string, tableName: string): PostgresScope['grants'][number] {
  return { schema, tables: [tableName], verbs: ['select'] };
}
