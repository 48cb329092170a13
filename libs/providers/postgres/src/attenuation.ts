import type { PostgresScope } from './postgres.schemas.js';

/** True when each verb on each table of `scope` is one that `parent` grants. */
export function isScopeWithin(scope: PostgresScope, parent: PostgresScope): boolean {
  const granted = new Set(parent.grants.flatMap(rightsOf));
  return scope.grants.flatMap(rightsOf).every((right) => granted.has(right));
}

function rightsOf({ schema, tables, verbs }: PostgresScope['grants'][number]): readonly string[] {
  return tables.flatMap((table) => verbs.map((verb) => JSON.stringify([schema, table, verb])));
}
