import type { AuditEntry } from '@mayfly/audit';
import type {
  ChangeClosing,
  DeclaredRecord,
  DeclaredState,
  DocumentChange,
  EditedDraft,
  LiveLeases,
  LockedState,
  NewVersion,
  PublishedVersion,
  RecordKind,
  RecordMove,
  RecordWrite,
  RemovableKind,
  TemplateRecord,
  VersionWrite,
} from '@mayfly/declarations';
import type { ChangeId, Json } from '@mayfly/kernel';
import type { ClientBase } from 'pg';
import { insertAudit } from '../audit/audit-rows.js';
import { closeChange, findChange, findOpenChange, insertChange, openChanges } from './change-rows.js';
import { declaredStateOf, findRecord } from './declaration-rows.js';
import type { DeclaredRows } from './declared-rows.js';
import { deleteRecord, writeDocuments } from './declaration-writes.js';
import { refuseOwnerEscape } from './owner-lockdowns.js';
import { moveRecord } from './record-moves.js';
import { findTemplate, findVersion } from './template-rows.js';
import { insertVersion, nextVersion, retireTemplate, upsertDraft } from './template-writes.js';

/** Reads and writes of one transaction, which holds the lock of declared state. */
export class PgLockedState implements LockedState {
  constructor(
    private readonly client: ClientBase,
    private readonly rows: DeclaredRows,
  ) {}

  record(kind: RecordKind, name: string): Promise<DeclaredRecord | undefined> {
    return findRecord(this.client, kind, name);
  }

  async declared(): Promise<DeclaredState> {
    return declaredStateOf(await this.rows.readIn(this.client));
  }

  async liveLeases(connection: string): Promise<LiveLeases> {
    const own = await this.client.query<{ count: number }>(
      'SELECT count(*)::int AS count FROM public.lease WHERE connection = $1 AND due_at IS NOT NULL',
      [connection],
    );
    const { rows } = await this.client.query<{ provider: string; scope: Json }>(
      `SELECT provider, scope FROM public.lease
       WHERE due_at IS NOT NULL AND connection IS DISTINCT FROM $1 AND strpos(scope::text, $2) > 0`,
      [connection, JSON.stringify(connection)],
    );
    return { own: own.rows[0]?.count ?? 0, naming: rows };
  }

  template(name: string): Promise<TemplateRecord | undefined> {
    return findTemplate(this.client, name);
  }

  version(name: string, version: number): Promise<PublishedVersion | undefined> {
    return findVersion(this.client, name, version);
  }

  nextVersion(name: string): Promise<number> {
    return nextVersion(this.client, name);
  }

  async write(writes: readonly (RecordWrite | VersionWrite)[], entries: readonly AuditEntry[]): Promise<void> {
    await refuseOwnerEscape(this.client, writes);
    await writeDocuments(this.client, writes);
    await insertAudit(this.client, entries);
  }

  async remove(kind: RemovableKind, name: string, entry: AuditEntry): Promise<void> {
    await deleteRecord(this.client, kind, name);
    await insertAudit(this.client, [entry]);
  }

  async saveDraft(name: string, draft: EditedDraft, entry: AuditEntry): Promise<void> {
    await upsertDraft(this.client, name, draft);
    await insertAudit(this.client, [entry]);
  }

  async publishDraft(version: NewVersion, entry: AuditEntry): Promise<void> {
    await refuseOwnerEscape(this.client, [{ kind: 'TaskTemplate', ...version }]);
    await insertVersion(this.client, version);
    await this.client.query(
      `UPDATE public.template SET draft = NULL, draft_author = NULL, draft_editors = '{}' WHERE name = $1`,
      [version.name],
    );
    await insertAudit(this.client, [entry]);
  }

  lockRecord(kind: RecordKind, name: string): Promise<DeclaredRecord | undefined> {
    return findRecord(this.client, kind, name, 'FOR UPDATE');
  }

  moveRecord(move: RecordMove): Promise<void> {
    return moveRecord(this.client, move);
  }

  change(id: ChangeId): Promise<DocumentChange | undefined> {
    return findChange(this.client, id);
  }

  openChange(kind: RecordKind, name: string): Promise<DocumentChange | undefined> {
    return findOpenChange(this.client, kind, name);
  }

  openChanges(): Promise<readonly DocumentChange[]> {
    return openChanges(this.client);
  }

  async addChange(change: DocumentChange, entry: AuditEntry): Promise<void> {
    await insertChange(this.client, change);
    await insertAudit(this.client, [entry]);
  }

  async closeChange(id: ChangeId, closing: ChangeClosing, entry: AuditEntry): Promise<void> {
    await closeChange(this.client, id, closing);
    await insertAudit(this.client, [entry]);
  }

  async retireTemplate(name: string, entry: AuditEntry): Promise<void> {
    await retireTemplate(this.client, name);
    await insertAudit(this.client, [entry]);
  }
}
