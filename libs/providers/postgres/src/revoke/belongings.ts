import { Problem } from '@mayfly/kernel';
import { escapeIdentifier, escapeLiteral } from 'pg';
import { DEPENDENT_OBJECTS, INSUFFICIENT_PRIVILEGE, UNDEFINED_OBJECT } from '../failures.js';
import type { ServerFacts } from '../server-facts.js';
import type { Session } from '../session.js';
import type { FoundRole } from './looks.js';
import { dropStatements, joinStatements, message, stripStatements, unlessState } from './statements.js';

/**
 * Objects dropped in one transaction. Each takes an entry in the server's lock table, which has 64 a session by
 * default.
 */
const BATCH = 500;
/** Lock timeout: long enough to stay in the queue while the sessions ahead are ended. */
const PATIENCE_MS = 1_000;

const KINDS = ['table', 'view', 'materialized view', 'foreign table', 'sequence', 'function', 'procedure'];

/**
 * Drops the objects that the agent made in this database, in batches, and then its role. Returns false when the
 * connection's role cannot remove everything: grants by another owner remain, or objects in another database.
 */
export async function dropWithBelongings(session: Session, role: FoundRole, facts: ServerFacts): Promise<boolean> {
  await session.query(message(PATIENCE_MS, joinStatements(role, facts.role, facts.version)));
  await removeLargeObjects(session, role);
  await removeThings(session, role);
  const rest = message(PATIENCE_MS, [`DROP OWNED BY ${escapeIdentifier(role.name)}`]);
  await unlessState([DEPENDENT_OBJECTS, INSUFFICIENT_PRIVILEGE], () => session.query(rest));
  return unlessState([DEPENDENT_OBJECTS], () => session.query(message(PATIENCE_MS, dropStatements([role]))));
}

async function removeLargeObjects(session: Session, { oid }: FoundRole): Promise<void> {
  const batch = `
    SELECT lo_unlink(oid) FROM
      (SELECT oid FROM pg_largeobject_metadata WHERE lomowner = ${escapeLiteral(oid)}::oid LIMIT ${String(BATCH)}) AS owned`;
  while ((await lastRows(session, message(PATIENCE_MS, [batch]))).length > 0);
}

/** Stops at the first batch that fails: DROP OWNED removes the rest in one transaction. */
async function removeThings(session: Session, { oid }: FoundRole): Promise<void> {
  const owned = `
    SELECT thing.type AS kind, thing.identity FROM pg_shdepend, pg_identify_object(classid, objid, 0) AS thing
     WHERE refclassid = 'pg_authid'::regclass AND refobjid = ${escapeLiteral(oid)}::oid AND deptype = 'o'
       AND dbid = (SELECT d.oid FROM pg_database AS d WHERE datname = current_database())
       AND thing.type IN (${KINDS.map((kind) => escapeLiteral(kind)).join()}) LIMIT ${String(BATCH)}`;
  for (;;) {
    const { rows } = await session.query<{ kind: string; identity: string }>(owned);
    const drops = rows.map(({ kind, identity }) => `DROP ${kind} IF EXISTS ${identity}`);
    if (drops.length === 0) return;
    const worked = await unlessState([DEPENDENT_OBJECTS, INSUFFICIENT_PRIVILEGE], () =>
      session.query(message(PATIENCE_MS, drops)),
    );
    if (!worked) return;
  }
}

async function lastRows(session: Session, text: string): Promise<readonly unknown[]> {
  const results = (await session.query(text)) as unknown as readonly { readonly rows: readonly unknown[] }[];
  return results.at(-1)?.rows ?? [];
}

/**
 * Revokes the memberships of a role that cannot be dropped. Returns the databases where objects still depend on it, in
 * words. Throws `provider_unavailable` when the role is still a member of another role; revoke that membership.
 */
export async function strip(session: Session, role: FoundRole, scopeRole: string | undefined): Promise<string> {
  for (const statement of stripStatements(role, scopeRole))
    await unlessState([UNDEFINED_OBJECT, INSUFFICIENT_PRIVILEGE], () => session.query(statement));
  const { rows } = await session.query<{ place: string; memberships: number }>(
    `SELECT DISTINCT coalesce(datname, 'the whole server') AS place,
            (SELECT count(*)::int FROM pg_auth_members WHERE member = $1::oid) AS memberships
       FROM pg_shdepend LEFT JOIN pg_database ON pg_database.oid = dbid
      WHERE refclassid = 'pg_authid'::regclass AND refobjid = $1::oid`,
    [role.oid],
  );
  if (rows.some(({ memberships }) => memberships > 0))
    throw new Problem('provider_unavailable', 'the role is still a member of another role; revoke that membership');
  return rows.map(({ place }) => `\`${place}\``).join(', ');
}
