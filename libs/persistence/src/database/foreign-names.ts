import { Problem } from '@mayfly/kernel';
import { escapeIdentifier, type ClientBase } from 'pg';

interface Finding {
  readonly schema: string;
  /** null means PUBLIC */
  readonly role: string | null;
  /** the object that the role created, as `DROP` takes it; null when the role may create objects */
  readonly object: string | null;
}

/**
 * Finds the first role that may create objects in the schemas `public` and `bullmq`, or that owns an object there.
 * Superusers and the owners of the database and of `public` are trusted: they have full control in any case. Among
 * tables only `_prisma_migrations` counts, since only its statement says `IF NOT EXISTS`.
 */
const FINDINGS = `
WITH trusted AS (
  SELECT oid FROM pg_roles WHERE rolsuper OR rolname = 'pg_database_owner' OR rolname = current_user OR rolname::text = ANY($1::text[])
  UNION SELECT datdba FROM pg_database WHERE datname = current_database()
  UNION SELECT nspowner FROM pg_namespace WHERE nspname = 'public'
), place AS (
  SELECT oid, nspname, nspowner, nspacl FROM pg_namespace WHERE nspname IN ('public', 'bullmq')
), made AS (
  SELECT 'pg_proc'::regclass AS class, oid, pronamespace AS place, proowner AS owner FROM pg_proc
  UNION ALL SELECT 'pg_operator'::regclass, oid, oprnamespace, oprowner FROM pg_operator
  UNION ALL SELECT 'pg_type'::regclass, oid, typnamespace, typowner FROM pg_type WHERE typrelid = 0 AND typelem = 0
  UNION ALL SELECT 'pg_class'::regclass, oid, relnamespace, relowner FROM pg_class WHERE relname = '_prisma_migrations'
), found AS (
  SELECT nspname, grant_to.grantee AS role, NULL AS object
  FROM place CROSS JOIN LATERAL aclexplode(nspacl) AS grant_to WHERE grant_to.privilege_type = 'CREATE'
  UNION ALL SELECT nspname, nspowner, NULL FROM place
  UNION ALL SELECT place.nspname, made.owner, (SELECT upper(i.type) || ' ' || i.identity FROM pg_identify_object(made.class, made.oid, 0) AS i)
  FROM made JOIN place ON place.oid = made.place
)
SELECT found.nspname::text AS schema, pg_roles.rolname::text AS role, found.object
FROM found LEFT JOIN pg_roles ON pg_roles.oid = found.role
WHERE found.role NOT IN (SELECT oid FROM trusted) ORDER BY object IS NOT NULL, schema, role, object LIMIT 1`;

/**
 * INVARIANT: no foreign function or operator runs with the rights of Mayfly's roles. Refuses a store where roles other
 * than the session's role, `trustedRoles`, the owner of the database and superusers may create or did create objects in
 * the schemas `public` and `bullmq`. Throws Problem `invalid_declaration` with the statement that repairs it. Requires
 * a session that looks up names in the catalog alone.
 */
export async function refuseForeignNames(session: ClientBase, trustedRoles: readonly string[]): Promise<void> {
  const [finding] = (await session.query<Finding>(FINDINGS, [trustedRoles])).rows;
  if (finding !== undefined) throw new Problem('invalid_declaration', describe(finding));
}

function describe({ schema, role, object }: Finding): string {
  const who = role === null ? 'PUBLIC' : escapeIdentifier(role);
  const place = `schema \`${schema}\` of the store`;
  return object === null
    ? `${who} can create objects in ${place} that Mayfly could mistake for its own: run \`REVOKE CREATE ON SCHEMA ${schema} FROM ${who}\` there`
    : `${who} owns an object in ${place} that Mayfly could mistake for its own: check it, then run \`DROP ${object}\` there`;
}
