import type { AuditEntry } from '@mayfly/audit';
import type { ChangeReader, DeclarationStore, LockedState, RecordReader, TemplateReader } from '@mayfly/declarations';
import type { Pool } from 'pg';
import { insertAudit } from '../audit/audit-rows.js';
import { databaseProblem, databaseUnread } from '../database/database-problem.js';
import { inTransaction } from '../database/transaction.js';
import { hintChange } from './change-hint.js';
import { changeReader } from './change-rows.js';
import { declaredStateOf, findRecord, listRecords } from './declaration-rows.js';
import type { DeclaredRows } from './declared-rows.js';
import { PgLockedState } from './locked-state.js';
import { findTemplate, findVersion, listTemplates, listVersions } from './template-rows.js';

/** Makes changes of declared state wait for each other, until the end of the transaction. */
export const LOCK_DECLARED_STATE = `SELECT pg_advisory_xact_lock(hashtext('mayfly declared state'))`;

/** Declared state on PostgreSQL. */
export class PgDeclarationStore implements DeclarationStore {
  readonly records: RecordReader;
  readonly templates: TemplateReader;
  readonly changes: ChangeReader;

  constructor(
    private readonly pool: Pool,
    private readonly rows: DeclaredRows,
  ) {
    this.records = {
      find: (kind, name) => findRecord(pool, kind, name).catch(databaseUnread),
      list: (kind, page) => listRecords(pool, kind, page).catch(databaseUnread),
      state: async () => declaredStateOf(await rows.read()),
    };
    this.changes = changeReader(pool);
    this.templates = {
      find: (name) => findTemplate(pool, name).catch(databaseUnread),
      list: (page) => listTemplates(pool, page).catch(databaseUnread),
      version: (name, version) => findVersion(pool, name, version).catch(databaseUnread),
      versions: (name, page) => listVersions(pool, name, page).catch(databaseUnread),
    };
  }

  async underLock<T>(work: (state: LockedState) => Promise<T>): Promise<T> {
    const done = await inTransaction(this.pool, async (client) => {
      await client.query(LOCK_DECLARED_STATE);
      return work(new PgLockedState(client, this.rows));
    }).catch(databaseProblem);
    hintChange(this.pool);
    return done;
  }

  async record(entries: readonly AuditEntry[]): Promise<void> {
    await insertAudit(this.pool, entries);
  }
}
