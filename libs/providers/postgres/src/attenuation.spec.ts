import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isScopeWithin } from './attenuation.js';
import type { PostgresScope } from './postgres.schemas.js';

const grant = (schema: string, tables: string[], verbs: PostgresScope['grants'][number]['verbs']) => ({
  schema,
  tables,
  verbs,
});
const scope = (...grants: PostgresScope['grants']): PostgresScope => ({ grants });

describe('isScopeWithin', () => {
  const parent = scope(grant('emea', ['cases', 'notes'], ['select', 'insert']), grant('apac', ['cases'], ['select']));

  it.each<[string, PostgresScope, boolean]>([
    ['the same', parent, true],
    ['fewer tables', scope(grant('emea', ['notes'], ['select', 'insert'])), true],
    ['fewer verbs', scope(grant('emea', ['cases', 'notes'], ['insert'])), true],
    ['parts of two grants', scope(grant('emea', ['cases'], ['select']), grant('apac', ['cases'], ['select'])), true],
    ['another table', scope(grant('emea', ['salaries'], ['select'])), false],
    ['another schema with the same table', scope(grant('apac', ['notes'], ['select'])), false],
    ['a verb of another grant', scope(grant('apac', ['cases'], ['insert'])), false],
    ['one right more', scope(grant('emea', ['cases'], ['select']), grant('emea', ['notes'], ['delete'])), false],
    ['a name that begins like one', scope(grant('emea', ['case'], ['select'])), false],
  ])('isScopeWithin compares %s', (_, child, within) => {
    expect(isScopeWithin(child, parent)).toBe(within);
  });

  it('isScopeWithin is true exactly when the parent has each right of the child', () => {
    const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { minLength: 1 });
    const verbs = fc.uniqueArray(fc.constantFrom('select' as const, 'insert' as const, 'update' as const), {
      minLength: 1,
    });
    const any = fc.array(fc.record({ schema: fc.constantFrom('a', 'b'), tables: names, verbs }), {
      minLength: 1,
      maxLength: 3,
    });
    const rights = ({ grants }: PostgresScope) =>
      new Set(
        grants.flatMap((one) =>
          one.tables.flatMap((table) => one.verbs.map((verb) => `${one.schema}.${table} ${verb}`)),
        ),
      );
    fc.assert(
      fc.property(any, any, (child, above) => {
        const [own, all] = [rights({ grants: child }), rights({ grants: above })];
        expect(isScopeWithin({ grants: child }, { grants: above })).toBe([...own].every((right) => all.has(right)));
      }),
    );
  });
});
