import { CATALOG_ONLY, createClient, STORE_SCHEMA, type SessionOptions } from '@mayfly/postgres';
import { escapeIdentifier, type ClientBase } from 'pg';
import { refuseForeignNames } from './foreign-names.js';

/** The sessions of the table owner. They have no time limit, because a migration of a large table takes long. */
const SESSION: SessionOptions = {
  applicationName: 'mayfly migrations',
  searchPath: CATALOG_ONLY,
  statementTimeoutMillis: 0,
  idleInTransactionMillis: 0,
};

/** The rights of the serving role for each table. It can only read and add history (I5). */
const GRANTS: readonly (readonly [string, readonly string[]])[] = [
  [
    'SELECT, INSERT',
    ['audit_entry', 'audit_seal', 'template_version', 'signing_key', 'kept_denial', 'decision', 'decision_facts'],
  ],
  ['SELECT, INSERT, DELETE', ['audit_pending']],
  ['SELECT, UPDATE', ['audit_log', 'declared_revision', 'store_epoch']],
  [
    'SELECT, INSERT, UPDATE',
    [
      ...['task', 'lease', 'agent', 'template', 'quota_counter', 'denial_document', 'declared_change'],
      ...['guard', 'lockdown', 'delegation', 'reconciliation', 'reconciliation_turn', 'death_probe'],
    ],
  ],
  [
    'SELECT, INSERT, UPDATE, DELETE',
    ['issuer', 'connection', 'idempotency_key', 'identity_use', 'outbox', 'task_ending'],
  ],
];

/** A role writes to a partition through the parent alone. */
const CLOSE_PARTITIONS = `SELECT public.close_audit_partition(i.inhrelid) FROM pg_inherits i
  WHERE i.inhparent IN ('public.audit_entry'::regclass, 'public.decision'::regclass) ORDER BY i.inhrelid`;

/**
 * Grants the serving role its rights on the owner's tables, and revokes all other rights on them. Safe to repeat, also
 * while another replica does the same: the statements run as one transaction under one lock.
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
    `GRANT EXECUTE ON FUNCTION public.prepare_audit_partitions(), public.prepare_decision_partitions() TO ${name}`,
    ...tables,
    CLOSE_PARTITIONS,
  ];
  await owner.query(statements.join(';\n'));
}

/**
 * Runs `work` on one connection of the table owner, with the name of the owner's role. `work` looks up names in the
 * tables' schema. Throws Problem `invalid_declaration` before `work` when roles other than the owner and `servingRole`
 * may create names in that schema.
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
