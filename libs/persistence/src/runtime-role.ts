import { escapeIdentifier, type ClientBase } from 'pg';

/** What the serving role may do with each table: history can be added to and read, and no more (I5). */
const GRANTS: readonly (readonly [string, readonly string[]])[] = [
  ['SELECT, INSERT', ['audit_entry', 'audit_seal', 'template_version', 'signing_key']],
  ['SELECT, INSERT, UPDATE', ['task', 'lease', 'agent', 'template', 'quota_counter']],
  ['SELECT, INSERT, UPDATE, DELETE', ['issuer', 'connection', 'idempotency_key', 'identity_use', 'outbox']],
];

/** Gives the role that serves requests what it needs, and nothing of it on the owner's account. Repeating it is harmless. */
export async function grantRuntimeRole(owner: ClientBase, role: string): Promise<void> {
  const name = escapeIdentifier(role);
  await owner.query(
    `GRANT USAGE ON SCHEMA public TO ${name}; GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO ${name}`,
  );
  for (const [privileges, tables] of GRANTS) {
    const list = tables.map(escapeIdentifier).join(', ');
    await owner.query(`REVOKE ALL ON ${list} FROM ${name}; GRANT ${privileges} ON ${list} TO ${name}`);
  }
}
