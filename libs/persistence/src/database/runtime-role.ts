import { CATALOG_ONLY, createClient, STORE_SCHEMA, type SessionOptions } from '@mayfly/postgres';
import { escapeIdentifier, type ClientBase } from 'pg';
import { refuseForeignNames } from './foreign-names.js';

/** Migrations take as long as they take. */
const SESSION: SessionOptions = {
  applicationName: 'mayfly migrations',
  searchPath: CATALOG_ONLY,
  statementTimeoutMillis: 0,
  idleInTransactionMillis: 0,
};

/** What the serving role may do with each table: history can be added to and read, and no more (I5). */
const GRANTS: readonly (readonly [string, readonly string[]])[] = [
  ['SELECT, INSERT', ['audit_entry', 'audit_seal', 'template_version', 'signing_key']],
  ['SELECT, INSERT, UPDATE', ['task', 'lease', 'agent', 'template', 'quota_counter', 'denial_document']],
  ['SELECT, INSERT, UPDATE, DELETE', ['issuer', 'connection', 'idempotency_key', 'identity_use', 'outbox']],
];

/**
 * Gives the role that serves requests what it needs, and nothing of it on the owner's account. Repeating it is harmless,
 * also at the same time as another replica: the statements are one transaction, under one lock.
 */
export async function grantRuntimeRole(owner: ClientBase, role: string): Promise<void> {
  const name = escapeIdentifier(role);
  const tables = GRANTS.map(([privileges, names]) => {
    const list = names.map(escapeIdentifier).join(', ');
    return `REVOKE ALL ON ${list} FROM ${name}; GRANT ${privileges} ON ${list} TO ${name}`;
  });
  const statements = [
    `SELECT pg_advisory_xact_lock(hashtext('mayfly runtime role'))`,
    `GRANT USAGE ON SCHEMA public TO ${name}; GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO ${name}`,
    ...tables,
  ];
  await owner.query(statements.join(';\n'));
}

/**
 * Runs `work` on one connection of the owner of the tables, with the name of its role; names are looked up in the schema of the tables
 * from then on. Throws Problem `invalid_declaration` before that, where others than the owner and `servingRole` may have put names there.
 */
export async function asOwner(
  url: string,
  servingRole: string,
  work: (owner: ClientBase, role: string) => Promise<void>,
): Promise<void> {
  const owner = createClient(url, SESSION);
  await owner.connect();
  try {
    const { rows } = await owner.query<{ role: string }>('SELECT current_user AS role');
    await refuseForeignNames(owner, [servingRole]);
    await owner.query(`SET search_path = ${STORE_SCHEMA}`);
    await work(owner, rows[0]?.role ?? '');
  } finally {
    await owner.end();
  }
}
