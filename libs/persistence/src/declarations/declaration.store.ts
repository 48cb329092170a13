import {
  checkDeclarations,
  type Declaration,
  type DeclarationChange,
  type DeclarationContext,
  type DeclarationOf,
  type DeclaredRecord,
  type DeclaredState,
  type Declarer,
  diffDeclarations,
  existing,
  type Precondition,
  type RecordKind,
} from '@mayfly/declarations';
import { auditEntry } from '@mayfly/audit';
import { type Clock, type Page, type PageRequest, Problem } from '@mayfly/kernel';
import type { ClientBase, Pool } from 'pg';
import { insertAudit } from '../audit/audit-rows.js';
import { databaseUnread } from '../database/database-problem.js';
import { underDeclarationLock } from './declaration-lock.js';
import { findRecord, listRecords, readDeclaredState } from './declaration-rows.js';
import { type RemovableKind, usesOf } from './declaration-uses.js';
import { deleteRecord, writeDeclarations, type WriteOptions } from './declaration-writes.js';

/** The result of applying documents. */
export interface AppliedDeclarations {
  /** one for each document, unchanged documents included */
  readonly changes: readonly DeclarationChange[];
  /** hints for the operator; they do not stop the change */
  readonly warnings: readonly string[];
}

/**
 * The store of declared state on PostgreSQL. Each change is checked against the whole state, in its own transaction.
 */
export class PgDeclarationStore {
  constructor(
    private readonly pool: Pool,
    private readonly clock: Clock,
    private readonly context: DeclarationContext,
  ) {}

  /**
   * Applies all documents or none. A new agent is active at once, and a changed template is in force at once. Suspended
   * or retired agents and retired templates keep their state. Throws `invalid_declaration` or `invalid_template`.
   */
  apply(documents: readonly Declaration[], by: Declarer): Promise<AppliedDeclarations> {
    return underDeclarationLock(this.pool, (client) =>
      this.merge(client, documents, { by, clock: this.clock, newAgentState: 'active' }),
    );
  }

  /**
   * Writes one document when `precondition` allows it, and returns the stored record. A new agent is `registered`.
   * Throws `invalid_declaration` and the errors of `precondition`.
   */
  put(declared: DeclarationOf<RecordKind>, precondition: Precondition, by: Declarer): Promise<DeclaredRecord> {
    const { kind, metadata } = declared;
    return underDeclarationLock(this.pool, async (client) => {
      const before = await findRecord(client, kind, metadata.name);
      precondition(before?.revision, before);
      await this.merge(client, [declared], { by, clock: this.clock, newAgentState: 'registered' });
      return existing(await findRecord(client, kind, metadata.name), kind, metadata.name);
    });
  }

  /** Deletes an unused record. Throws `not_found`, the errors of `precondition`, and `conflict` naming the users. */
  remove(kind: RemovableKind, name: string, precondition: Precondition, by: Declarer): Promise<void> {
    return underDeclarationLock(this.pool, async (client) => {
      const before = existing(await findRecord(client, kind, name), kind, name);
      precondition(before.revision, before);
      const { declarations } = await readDeclaredState(client);
      const uses = await usesOf(client, kind, name, { declarations, providers: this.context.providers });
      if (uses.length > 0) throw new Problem('conflict', `\`${name}\` is used by ${uses.slice(0, 10).join(', ')}`);
      await deleteRecord(client, kind, name);
      const facts = { kind, name, change: 'delete' as const };
      await insertAudit(client, [auditEntry('declaration.changed', this.clock.now(), by.actor, {}, facts)]);
    });
  }

  /** Returns the record. Throws `not_found`. */
  async find(kind: RecordKind, name: string): Promise<DeclaredRecord> {
    return existing(await findRecord(this.pool, kind, name).catch(databaseUnread), kind, name);
  }

  /** Returns the whole declared state, read at one instant. */
  state(): Promise<DeclaredState> {
    return readDeclaredState(this.pool).catch(databaseUnread);
  }

  list(kind: RecordKind, page: PageRequest<string>): Promise<Page<DeclaredRecord, string>> {
    return listRecords(this.pool, kind, page).catch(databaseUnread);
  }

  private async merge(
    client: ClientBase,
    documents: readonly Declaration[],
    options: WriteOptions,
  ): Promise<AppliedDeclarations> {
    const { declarations, retiredTemplates } = await readDeclaredState(client);
    const isRetired = ({ kind, metadata }: Declaration): boolean =>
      kind === 'TaskTemplate' && retiredTemplates.has(metadata.name);
    const news = documents.filter((declared) => !isRetired(declared)).map(withLabels);
    const replaced = new Set(news.map(keyOf));
    const kept = declarations.filter((declared) => !replaced.has(keyOf(declared)));
    const { warnings } = checkDeclarations([...kept, ...news], this.context, news);
    const changes = diffDeclarations(declarations, news);
    const byKey = new Map(news.map((declared) => [keyOf(declared), declared]));
    const writes = changes.flatMap((change) => {
      const { kind, name, change: what } = change;
      const declared = byKey.get(`${kind}/${name}`);
      return what === 'unchanged' || declared === undefined ? [] : [{ declared, change: { ...change, change: what } }];
    });
    await writeDeclarations(client, writes, options);
    const passedOver = documents.filter(isRetired).map((declared) => `${keyOf(declared)}: retired; it was passed over`);
    return { changes, warnings: [...passedOver, ...warnings.map(({ detail }) => detail)] };
  }
}

function keyOf({ kind, metadata }: Declaration): string {
  return `${kind}/${metadata.name}`;
}

/** Treats missing labels as an empty set. */
function withLabels(declared: Declaration): Declaration {
  return { ...declared, metadata: { ...declared.metadata, labels: declared.metadata.labels ?? {} } };
}
