import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createMigratedDatabase, type TestDatabase } from '@mayfly/testing';
import pg from 'pg';
import { proveHistoryKept } from './history-proof.js';

let database: TestDatabase;
let owner: pg.Client;
let service: pg.Client;
beforeAll(async () => {
  database = await createMigratedDatabase();
  owner = new pg.Client({ connectionString: database.adminUrl });
  service = new pg.Client({ connectionString: database.url });
  await Promise.all([owner.connect(), service.connect()]);
});
afterAll(async () => {
  await Promise.all([owner.end(), service.end()]);
  await database.drop();
});

const HISTORY = ['audit_entry', 'audit_seal', 'template_version', 'task', 'lease', 'decision'];
const TRIGGERS = [
  ['audit_entry', 'audit_entry_append_only', 'UPDATE'],
  // Without the parent's own trigger, those of the partitions refuse a TRUNCATE of the parent.
  ['audit_entry_first', 'audit_entry_not_truncated', 'TRUNCATE'],
  ['audit_entry_default', 'audit_entry_not_truncated', 'TRUNCATE'],
  ['decision', 'decision_append_only', 'UPDATE'],
  ['decision_default', 'decision_not_truncated', 'TRUNCATE'],
  ['audit_seal', 'audit_seal_append_only', 'UPDATE'],
  ['audit_seal', 'audit_seal_not_truncated', 'TRUNCATE'],
  ['template_version', 'template_version_immutable', 'UPDATE'],
  ['template_version', 'template_version_not_truncated', 'TRUNCATE'],
  ['task', 'task_kept', 'DELETE'],
  ['task', 'task_not_truncated', 'TRUNCATE'],
  ['lease', 'lease_kept', 'DELETE'],
  ['lease', 'lease_not_truncated', 'TRUNCATE'],
] as const;

const refusal = (table: string, operation: string, role = 'postgres') => ({
  code: 'invalid_declaration',
  detail: expect.stringContaining(
    `does not refuse ${operation} on the history table \`${table}\` to the role \`${role}\``,
  ) as unknown,
});

/** Runs `work` with a change of the database that is taken back. */
async function during(change: string, work: () => Promise<void>, undo: string): Promise<void> {
  await owner.query(change);
  try {
    await work();
  } finally {
    await owner.query(undo);
  }
}

describe('the proof that history is kept', () => {
  it('passes on a migrated database, as the owner and as the service, and leaves nothing behind', async () => {
    await proveHistoryKept(owner);
    await proveHistoryKept(service);
    for (const table of [...HISTORY, 'template']) expect((await owner.query(`SELECT FROM ${table}`)).rowCount).toBe(0);
  });

  it.each(TRIGGERS)('fails for %s without %s, and names the cure, which works', async (table, trigger, operation) => {
    await owner.query(`DROP TRIGGER ${trigger} ON ${table}`);
    const fault = await proveHistoryKept(owner).catch((error: unknown) => error as { detail: string });
    expect(fault).toMatchObject(refusal(table, operation));
    const [, cure] = /run `([^`]+)` there/.exec((fault as { detail: string }).detail) ?? [];
    await owner.query(cure!);
    await proveHistoryKept(owner);
  });

  it.each(TRIGGERS)('fails for %s with %s disabled', async (table, trigger, operation) => {
    const alter = (word: string) => `ALTER TABLE ${table} ${word} TRIGGER ${trigger}`;
    await during(
      alter('DISABLE'),
      () => expect(proveHistoryKept(owner)).rejects.toMatchObject(refusal(table, operation)),
      alter('ENABLE'),
    );
  });

  it('fails for the DELETE that a trigger on UPDATE alone lets through', async () => {
    const trigger = (events: string) =>
      `CREATE OR REPLACE TRIGGER audit_entry_append_only BEFORE ${events} ON audit_entry FOR EACH ROW EXECUTE FUNCTION refuse_change()`;
    await during(
      trigger('UPDATE'),
      () => expect(proveHistoryKept(owner)).rejects.toMatchObject(refusal('audit_entry', 'DELETE')),
      trigger('UPDATE OR DELETE'),
    );
  });

  it('fails for a partition that was made later, when its triggers are missing or disabled, and names the cure, which works', async () => {
    await owner.query(`SELECT setval('audit_batch', 350000000)`);
    await owner.query('SELECT prepare_audit_partitions()');
    await proveHistoryKept(owner);
    await proveHistoryKept(service);
    for (const [change, table, operation] of [
      ['DISABLE TRIGGER audit_entry_append_only', 'audit_entry', 'UPDATE'],
      ['DISABLE TRIGGER audit_entry_not_truncated', 'audit_entry_8', 'TRUNCATE'],
    ] as const) {
      await owner.query(`ALTER TABLE audit_entry_8 ${change}`);
      const fault = await proveHistoryKept(owner).catch((error: unknown) => error as { detail: string });
      expect(fault).toMatchObject(refusal(table, operation));
      await owner.query(/run `([^`]+)` there/.exec((fault as { detail: string }).detail)![1]!);
      await proveHistoryKept(owner);
    }
  });

  it('fails for a service that may change a partition whose trigger is disabled', async () => {
    await owner.query('ALTER TABLE audit_entry_first DISABLE TRIGGER audit_entry_append_only');
    await proveHistoryKept(service);
    await during(
      'GRANT SELECT, UPDATE ON audit_entry_first TO mayfly_app',
      () =>
        expect(proveHistoryKept(service)).rejects.toMatchObject(refusal('audit_entry_first', 'UPDATE', 'mayfly_app')),
      'REVOKE ALL ON audit_entry_first FROM mayfly_app; ALTER TABLE audit_entry_first ENABLE TRIGGER audit_entry_append_only',
    );
  });

  it('fails for a session in which triggers do not fire', async () => {
    await during(
      'SET session_replication_role = replica',
      () => expect(proveHistoryKept(owner)).rejects.toMatchObject(refusal('audit_entry', 'UPDATE')),
      'RESET session_replication_role',
    );
  });

  it('passes for a service whose rights alone refuse, and fails once it has the right', async () => {
    await owner.query('ALTER TABLE audit_entry DISABLE TRIGGER audit_entry_append_only');
    await proveHistoryKept(service);
    await during(
      'GRANT UPDATE ON audit_entry TO mayfly_app',
      () => expect(proveHistoryKept(service)).rejects.toMatchObject(refusal('audit_entry', 'UPDATE', 'mayfly_app')),
      'REVOKE UPDATE ON audit_entry FROM mayfly_app; ALTER TABLE audit_entry ENABLE TRIGGER audit_entry_append_only',
    );
  });

  it('the proof that history is kept reads the trigger from the catalog while a backup holds the table', async () => {
    const backup = new pg.Client({ connectionString: database.adminUrl });
    await backup.connect();
    await backup.query(`BEGIN; SELECT FROM ${HISTORY.join(', ')}`);
    await proveHistoryKept(owner);
    await backup.query('COMMIT');
    await owner.query('DROP TRIGGER lease_not_truncated ON lease');
    await backup.query(`BEGIN; SELECT FROM ${HISTORY.join(', ')}`);
    await expect(proveHistoryKept(owner)).rejects.toMatchObject(refusal('lease', 'TRUNCATE'));
    await backup.query('COMMIT');
    await backup.end();
    await owner.query(
      'CREATE TRIGGER lease_not_truncated BEFORE TRUNCATE ON lease FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
    );
  });

  it('passes for many starts at once', async () => {
    const clients = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const client = new pg.Client({ connectionString: database.adminUrl });
        await client.connect();
        return client;
      }),
    );
    await Promise.all(clients.map(proveHistoryKept));
    await Promise.all(clients.map((client) => client.end()));
  });
});
