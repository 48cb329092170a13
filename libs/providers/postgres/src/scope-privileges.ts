import { createHash } from 'node:crypto';
import { canonicalJson } from '@mayfly/kernel';
import { escapeIdentifier } from 'pg';
import type { PostgresScope } from './postgres.schemas.js';

/** One privilege on one object. `privilege` uses the names of `aclexplode`; a final `*` means WITH GRANT OPTION. */
export interface Privilege {
  readonly kind: 'DATABASE' | 'SCHEMA' | 'TABLE' | 'SEQUENCE';
  /** the schema of the object; null for databases and schemas */
  readonly schema: string | null;
  readonly name: string;
  readonly privilege: string;
}

/** Returns the privileges of a scope, each once and sorted, so that the order in the scope does not matter. */
export function privilegesOf(database: string, scope: PostgresScope): readonly Privilege[] {
  const privileges = scope.grants.flatMap(({ schema, tables, verbs }): Privilege[] => [
    { kind: 'SCHEMA', schema: null, name: schema, privilege: 'USAGE' },
    ...tables.flatMap((name) =>
      verbs.map((verb): Privilege => ({ kind: 'TABLE', schema, name, privilege: verb.toUpperCase() })),
    ),
  ]);
  const all: Privilege[] = [{ kind: 'DATABASE', schema: null, name: database, privilege: 'CONNECT' }, ...privileges];
  const byText = new Map(all.map((privilege) => [textOf(privilege), privilege]));
  return [...byText].sort(([first], [second]) => (first < second ? -1 : 1)).map(([, privilege]) => privilege);
}

/**
 * Returns the name of the role that holds exactly these privileges (53 bytes). Equal privileges share one role per
 * maker, because only the maker of a role can grant it (PostgreSQL 16 and newer).
 */
export function scopeRoleName(maker: string, privileges: readonly Privilege[]): string {
  const digest = createHash('sha256')
    .update(canonicalJson([maker, ...privileges.map(textOf)]))
    .digest('hex');
  return `mayfly_scope_${digest.slice(0, 40)}`;
}

/**
 * Returns the privileges that are wanted but not held, and held but not wanted, in words such as ``SELECT on table
 * `emea.cases` ``.
 */
export function differences(
  held: readonly Privilege[],
  wanted: readonly Privilege[],
): { readonly lacking: readonly string[]; readonly surplus: readonly string[] } {
  const without = (all: readonly Privilege[], others: readonly Privilege[]): readonly string[] => {
    const texts = new Set(others.map(textOf));
    return all.filter((privilege) => !texts.has(textOf(privilege))).map(wordsFor);
  };
  return { lacking: without(wanted, held), surplus: without(held, wanted) };
}

function wordsFor({ kind, schema, name, privilege }: Privilege): string {
  return `${privilege.replace('*', ' WITH GRANT OPTION')} on ${kind.toLowerCase()} \`${schema === null ? '' : `${schema}.`}${name}\``;
}

/** Returns the statements that change a role's privileges from `held` to `wanted`; empty when they are equal. */
export function repairs(role: string, held: readonly Privilege[], wanted: readonly Privilege[]): readonly string[] {
  const grantee = escapeIdentifier(role);
  const heldBy = byObject(held);
  const wantedBy = byObject(wanted);
  const stripped = [...heldBy].filter(([object, names]) => !isWithin(names, wantedBy.get(object)));
  const strippedObjects = new Set(stripped.map(([object]) => object));
  const lacking = [...wantedBy].filter(
    ([object, names]) => strippedObjects.has(object) || !isWithin(names, heldBy.get(object)),
  );
  return [
    ...stripped.map(([object]) => `REVOKE ALL ON ${object} FROM ${grantee}`),
    ...lacking.map(([object, names]) => `GRANT ${[...names].join(', ')} ON ${object} TO ${grantee}`),
  ];
}

function byObject(privileges: readonly Privilege[]): Map<string, Set<string>> {
  const objects = new Map<string, Set<string>>();
  for (const { kind, schema, name, privilege } of privileges) {
    const object = `${kind} ${schema === null ? '' : `${escapeIdentifier(schema)}.`}${escapeIdentifier(name)}`;
    objects.set(object, (objects.get(object) ?? new Set()).add(privilege));
  }
  return objects;
}

function isWithin(names: ReadonlySet<string>, others: ReadonlySet<string> = new Set()): boolean {
  return [...names].every((name) => others.has(name));
}

function textOf({ kind, schema, name, privilege }: Privilege): string {
  return canonicalJson([kind, schema, name, privilege]);
}
