import type { ProbeCheck } from '@mayfly/credentials';
import type { Session } from './session.js';

/** Schemas in which PUBLIC may create: there a lease can define functions that others run. */
const OPEN_SCHEMAS = `
  SELECT format('%I', nspname) AS name FROM pg_namespace, aclexplode(nspacl) AS acl
   WHERE acl.grantee = 0 AND acl.privilege_type = 'CREATE' ORDER BY 1`;

/** Databases that PUBLIC may connect to, without those that take no connections. */
const OPEN_DATABASES = `
  SELECT format('%I', datname) AS name
    FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) AS acl
   WHERE datallowconn AND acl.grantee = 0 AND acl.privilege_type = 'CONNECT' ORDER BY 1`;

const TEMPORARY = `
  SELECT format('%I', datname) AS name
    FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) AS acl
   WHERE datname = current_database() AND acl.grantee = 0 AND acl.privilege_type = 'TEMPORARY'`;

/** Functions that create large objects, which belong to the lease role and outlast its task. */
const LARGE_OBJECTS = `
  SELECT oid::regprocedure::text AS name FROM pg_proc
   WHERE pronamespace = 'pg_catalog'::regnamespace AND proname IN ('lo_create', 'lo_creat', 'lo_from_bytea')
     AND EXISTS (SELECT FROM aclexplode(coalesce(proacl, acldefault('f', proowner))) AS acl
                  WHERE acl.grantee = 0 AND acl.privilege_type = 'EXECUTE') ORDER BY 1`;

/** Functions with which a session can take any number of entries in the server's lock table. */
const ADVISORY_LOCKS = `
  SELECT oid::regprocedure::text AS name FROM pg_proc
   WHERE pronamespace = 'pg_catalog'::regnamespace AND proname ~ '^pg_(try_)?advisory_(xact_)?lock(_shared)?$'
     AND EXISTS (SELECT FROM aclexplode(coalesce(proacl, acldefault('f', proowner))) AS acl
                  WHERE acl.grantee = 0 AND acl.privilege_type = 'EXECUTE') ORDER BY 1`;

/** System relations that PUBLIC may lock by LOCK TABLE, because it has one of these rights. */
const LOCKABLE = `
  SELECT oid::regclass::text AS name FROM pg_class, aclexplode(relacl) AS acl
   WHERE oid < 16384 AND acl.grantee = 0 AND acl.privilege_type IN ('UPDATE', 'DELETE', 'TRUNCATE', 'MAINTAIN') ORDER BY 1`;

interface Hole {
  readonly name: string;
  readonly statement: string;
  /** completes "every lease may …" */
  readonly may: string;
  readonly outcome: 'missing' | 'warning';
}

const HOLES: readonly Hole[] = [
  {
    name: 'no schema in which PUBLIC may create',
    statement: OPEN_SCHEMAS,
    may: 'create things in schema',
    outcome: 'missing',
  },
  {
    name: 'no database that PUBLIC may connect to',
    statement: OPEN_DATABASES,
    may: 'connect to database',
    outcome: 'warning',
  },
  {
    name: 'no temporary tables for PUBLIC',
    statement: TEMPORARY,
    may: 'make temporary tables in database',
    outcome: 'warning',
  },
  { name: 'no large objects for PUBLIC', statement: LARGE_OBJECTS, may: 'make large objects, by', outcome: 'warning' },
  { name: 'no advisory locks for PUBLIC', statement: ADVISORY_LOCKS, may: 'take locks by', outcome: 'warning' },
  { name: 'no catalog that PUBLIC may lock', statement: LOCKABLE, may: 'lock', outcome: 'warning' },
];

/** Checks the rights that PUBLIC, and so every lease, has besides its scope. */
export async function holesOf(session: Session): Promise<readonly ProbeCheck[]> {
  const checks: ProbeCheck[] = [];
  for (const { name, statement, may, outcome } of HOLES) {
    const { rows } = await session.query<{ name: string }>(statement);
    const what = rows.map((row) => `\`${row.name}\``).join(', ');
    const detail = `every lease may ${may} ${what}; docs/connect-postgres.md has the SQL that prevents it`;
    checks.push(rows.length === 0 ? { name, outcome: 'ok' } : { name, outcome, detail });
  }
  return checks;
}
