import type { PostgresScope } from './postgres.schemas.js';
import type { Session } from './session.js';

/** Maximum number of function names in one remark; a schema can hold thousands. */
const MAX_NAMES = 5;

/** The database's facts about one table of a scope. Columns are null when the schema or the table does not exist. */
interface Found {
  readonly schema: string;
  readonly name: string;
  readonly hasSchema: boolean;
  readonly kind: string | null;
  readonly owner: string | null;
  readonly invoker: boolean | null;
  /** `similar`: relations whose names differ by case only; `functions`: true when a function has this name */
  readonly similar: string | null;
  readonly functions: boolean;
  /** verbs that the session's role may not grant */
  readonly withheld: readonly string[] | null;
  readonly usage: boolean | null;
}

const LOOK = `
  SELECT wanted.schema, wanted.name, space.oid IS NOT NULL AS "hasSchema", thing.relkind AS kind,
         pg_get_userbyid(thing.relowner)::text AS owner,
         coalesce(thing.reloptions && ARRAY['security_invoker=true', 'security_invoker=on'], false) AS invoker,
         (SELECT string_agg(format('%I.%I', n.nspname, c.relname), ', ') FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
           WHERE lower(n.nspname) = lower(wanted.schema) AND lower(c.relname) = lower(wanted.name)
             AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND thing.oid IS NULL) AS similar,
         EXISTS (SELECT FROM pg_proc WHERE pronamespace = space.oid AND proname = wanted.name) AS functions,
         (SELECT array_agg(verb) FROM jsonb_array_elements_text(wanted.verbs) AS verb
           WHERE NOT has_table_privilege(thing.oid, verb || ' WITH GRANT OPTION')) AS withheld,
         has_schema_privilege(space.oid, 'USAGE WITH GRANT OPTION') AS usage
    FROM jsonb_to_recordset($1::jsonb) AS wanted (schema text, name text, verbs jsonb)
    LEFT JOIN pg_namespace AS space ON space.nspname = wanted.schema
    LEFT JOIN pg_class AS thing ON thing.relnamespace = space.oid AND thing.relname = wanted.name
   ORDER BY 1, 2`;

/** SECURITY DEFINER functions that PUBLIC may execute. */
const DEFINERS = `
  SELECT space.nspname AS schema, one.oid::regprocedure::text AS name
    FROM pg_proc AS one JOIN pg_namespace AS space ON space.oid = one.pronamespace
   WHERE space.nspname = ANY($1::text[]) AND one.prosecdef
     AND EXISTS (SELECT FROM aclexplode(coalesce(one.proacl, acldefault('f', one.proowner))) AS acl
                  WHERE acl.grantee = 0 AND acl.privilege_type = 'EXECUTE')
   ORDER BY 1, 2 LIMIT ${String(MAX_NAMES + 1)}`;

/** Kinds of relations that can be granted, besides tables (`pg_class.relkind`). */
const KINDS: Readonly<Record<string, string>> = { v: 'a view', m: 'a materialized view', f: 'a foreign table' };
const TABLES = ['r', 'p'];

/** Returns the faults of a scope at this database and the facts that may surprise its author, one sentence each. */
export async function examineScope(session: Session, scope: PostgresScope): Promise<readonly string[]> {
  const wanted = scope.grants.flatMap(({ schema, tables, verbs }) => tables.map((name) => ({ schema, name, verbs })));
  const { rows } = await session.query<Found & Record<string, unknown>>(LOOK, [JSON.stringify(wanted)]);
  const schemas = [...new Set(scope.grants.map(({ schema }) => schema))];
  return [...new Set(rows.flatMap(remarksOn)), ...(await definers(session, schemas))];
}

function remarksOn(found: Found): string[] {
  const name = `\`${found.schema}.${found.name}\``;
  if (!found.hasSchema) return [`the database has no schema \`${found.schema}\`${hint(found)}`];
  if (found.kind === null) return [`the database has no table ${name}${hint(found)}`];
  const kind = KINDS[found.kind];
  if (kind === undefined && !TABLES.includes(found.kind)) return [`${name} is not a table or view; change the scope`];
  return [...ownerRights(found, name, kind), ...lackingRights(found, name)];
}

function hint({ similar, functions }: Found): string {
  if (similar !== null) return `; \`${similar}\` differs by case`;
  return functions ? '; a function has that name, and functions cannot be granted' : '';
}

function ownerRights({ kind, invoker, owner }: Found, name: string, words: string | undefined): string[] {
  if (words === undefined || (kind === 'v' && invoker === true)) return [];
  const reads =
    kind === 'f' ? 'reads another server with the rights that its owner set up' : 'shows what its owner may read';
  return [`${name} is ${words}: it ${reads} (\`${String(owner)}\`)`];
}

function lackingRights({ withheld, usage, schema }: Found, name: string): string[] {
  const rights = [
    ...(usage === false ? [`USAGE on schema \`${schema}\``] : []),
    ...(withheld ?? []).map((verb) => `${verb.toUpperCase()} on table ${name}`),
  ];
  return rights.map((right) => `the role of the connection cannot grant ${right}; grant it that WITH GRANT OPTION`);
}

async function definers(session: Session, schemas: readonly string[]): Promise<readonly string[]> {
  const { rows } = await session.query<{ schema: string; name: string }>(DEFINERS, [schemas]);
  if (rows.length === 0) return [];
  const names = rows
    .slice(0, MAX_NAMES)
    .map(({ schema, name }) => `\`${name.includes('.') ? name : `${schema}.${name}`}\``);
  const more = rows.length > MAX_NAMES ? ' and others' : '';
  return [
    `every lease may run ${names.join(', ')}${more} with the rights of the owner: run REVOKE EXECUTE … FROM PUBLIC where that is not wanted`,
  ];
}

/** Returns a remark when some clients refuse so few SCRAM rounds: lib/pq 1.12 needs 1,000, pg8000 1.31 needs 4,096. */
export function roundsRemark(rounds: number): string | undefined {
  if (rounds >= 4_096) return undefined;
  const clients = rounds < 1_000 ? 'lib/pq (Go) and pg8000 (Python) refuse' : 'pg8000 (Python) refuses';
  return `\`scramIterations\` is ${String(rounds)}: ${clients} to log in with so few rounds; use 4096 if agents use them`;
}
