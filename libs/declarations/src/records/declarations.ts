import { auditEntry, type AuditEntry } from '@mayfly/audit';
import { newId, Problem, type Clock, type Json, type Page, type PageRequest } from '@mayfly/kernel';
import type { Catalog } from '../catalog.js';
import { checkDeclarations, type DeclarationContext } from '../check-declarations.js';
import type { DeclarationStore, LockedState, RecordWrite, VersionWrite } from '../declaration.store.js';
import { diffDeclarations, type DeclarationChange } from '../diff-declarations.js';
import type { Declaration, DeclarationOf } from '../document.schema.js';
import { nextVersionOf } from '../templates/template-publication.js';
import { placesOf } from './changed-places.js';
import { usesOf, type RemovableKind } from './declaration-uses.js';
import { existing, type DeclaredRecord, type Declarer, type RecordKind } from './declared-record.js';
import { refuseRoles } from './issuer-roles.js';
import { MUST_BE_NEW, requireMet, type Precondition } from './precondition.js';
import { readDocument } from './read-document.js';

/** The result of applying documents. */
export interface AppliedDeclarations {
  /** one for each document, unchanged documents included */
  readonly changes: readonly DeclarationChange[];
  /** hints for the operator; they do not stop the change */
  readonly warnings: readonly string[];
}

/** The parts and the settings that the use case works with. */
export interface DeclarationsParts {
  readonly store: DeclarationStore;
  readonly context: DeclarationContext;
  readonly catalog: Pick<Catalog, 'refresh'>;
  readonly clock: Clock;
  /** true: issuers with roles may be declared over the API, not only by the operator's files */
  readonly rolesOverApi: boolean;
  /** receives errors after the commit of a change; the background loops retry that work */
  readonly report: (error: unknown) => void;
}

interface MergeOptions {
  readonly by: Declarer;
  /** the state of a new agent */
  readonly newAgentState: 'registered' | 'active';
}

/** Issuers, connections and agents, and files of documents. Each change is checked against the whole declared state. */
export class Declarations {
  constructor(private readonly parts: DeclarationsParts) {}

  /** Throws `not_found`. */
  async find(kind: RecordKind, name: string): Promise<DeclaredRecord> {
    return existing(await this.parts.store.records.find(kind, name), kind, name);
  }

  list(kind: RecordKind, page: PageRequest<string>): Promise<Page<DeclaredRecord, string>> {
    return this.parts.store.records.list(kind, page);
  }

  /**
   * Applies all documents or none; the caller refreshes the catalog. A new agent is active at once, and a changed
   * template is in force at once. Suspended or retired agents and retired templates keep their state. Throws
   * `invalid_declaration` or `invalid_template`.
   */
  apply(documents: readonly Declaration[], by: Declarer): Promise<AppliedDeclarations> {
    return this.parts.store.underLock((state) => this.merge(state, documents, { by, newAgentState: 'active' }));
  }

  /**
   * Creates a document; a new agent is `registered`. Throws `invalid_declaration`, `policy_denied` (`issuer-roles`),
   * and `conflict` when the name is taken.
   */
  create(kind: RecordKind, body: Json | undefined, by: Declarer): Promise<DeclaredRecord> {
    return this.write(readDocument(kind, body), MUST_BE_NEW, by);
  }

  /**
   * Creates or replaces a document. Throws `invalid_declaration`, `policy_denied` (`issuer-roles`), and the problem of
   * the precondition.
   */
  put(kind: RecordKind, name: string, body: Json | undefined, precondition: Precondition, by: Declarer) {
    return this.write(readDocument(kind, body, name), precondition, by);
  }

  /**
   * Deletes an unused record. Throws `not_found`, `policy_denied` (`issuer-roles`), the problem of the precondition,
   * and `conflict` naming the users.
   */
  async remove(kind: RemovableKind, name: string, precondition: Precondition, by: Declarer): Promise<void> {
    const { store, context, clock, rolesOverApi } = this.parts;
    await store.underLock(async (state) => {
      const before = existing(await state.record(kind, name), kind, name);
      if (!rolesOverApi) refuseRoles(before);
      requireMet(precondition, before.revision);
      const uses = await usesOf(kind, name, state, context.providers);
      if (uses.length > 0)
        throw new Problem(
          'conflict',
          `\`${name}\` is used by ${uses.slice(0, 10).join(', ')}; change or end those first`,
        );
      const facts = { kind, name, change: 'delete' as const };
      await state.remove(kind, name, auditEntry('declaration.changed', clock.now(), by.actor, {}, facts));
    });
    await this.refresh();
  }

  private async write(
    declared: DeclarationOf<RecordKind>,
    precondition: Precondition,
    by: Declarer,
  ): Promise<DeclaredRecord> {
    const { kind, metadata } = declared;
    const written = await this.parts.store.underLock(async (state) => {
      const before = await state.record(kind, metadata.name);
      if (!this.parts.rolesOverApi) refuseRoles(before, declared);
      requireMet(precondition, before?.revision);
      await this.merge(state, [declared], { by, newAgentState: 'registered' });
      return existing(await state.record(kind, metadata.name), kind, metadata.name);
    });
    await this.refresh();
    return written;
  }

  private async merge(
    state: LockedState,
    documents: readonly Declaration[],
    options: MergeOptions,
  ): Promise<AppliedDeclarations> {
    const { declarations, retiredTemplates } = await state.declared();
    const isRetired = ({ kind, metadata }: Declaration): boolean =>
      kind === 'TaskTemplate' && retiredTemplates.has(metadata.name);
    const news = documents.filter((declared) => !isRetired(declared)).map(withLabels);
    const replaced = new Set(news.map(keyOf));
    const kept = declarations.filter((declared) => !replaced.has(keyOf(declared)));
    const changes = diffDeclarations(declarations, news);
    const same = new Set(
      changes.filter(({ change }) => change === 'unchanged').map(({ kind, name }) => `${kind}/${name}`),
    );
    const differing = news.filter((declared) => !same.has(keyOf(declared)));
    const { warnings } = checkDeclarations([...kept, ...news], this.parts.context, news, differing);
    await this.store(state, changes, news, options);
    const passedOver = documents
      .filter(isRetired)
      .map((declared) => `${keyOf(declared)}: the template is retired; it was skipped`);
    return { changes, warnings: [...passedOver, ...warnings.map(({ detail }) => detail)] };
  }

  /** Writes the documents that changed, each with its audit entry. */
  private async store(
    state: LockedState,
    changes: readonly DeclarationChange[],
    documents: readonly Declaration[],
    options: MergeOptions,
  ): Promise<void> {
    const byKey = new Map(documents.map((declared) => [keyOf(declared), declared]));
    const writes: (RecordWrite | VersionWrite)[] = [];
    const entries: AuditEntry[] = [];
    for (const { differences, kind, name, change } of changes) {
      const declared = byKey.get(`${kind}/${name}`);
      if (change === 'unchanged' || declared === undefined) continue;
      const write = await writeOf(declared, state, options);
      writes.push(write);
      entries.push(this.entryOf(write, { change, ...placesOf(differences) }, options.by));
    }
    if (writes.length > 0) await state.write(writes, entries);
  }

  private entryOf(write: RecordWrite | VersionWrite, changed: ChangeFacts, { actor }: Declarer): AuditEntry {
    const now = this.parts.clock.now();
    const { kind, name } = write;
    const facts = { kind, name, ...changed };
    if (write.kind === 'TaskTemplate')
      return auditEntry('template.published', now, actor, {}, { ...facts, version: write.version });
    return auditEntry('declaration.changed', now, actor, kind === 'Agent' ? { agent: name } : {}, facts);
  }

  /** Refreshes the catalog. A failed refresh does not fail the change, which is committed. */
  private async refresh(): Promise<void> {
    await this.parts.catalog.refresh().catch(this.parts.report);
  }
}

type ChangeFacts = { readonly change: 'create' | 'update' } & ReturnType<typeof placesOf>;

async function writeOf(
  declared: Declaration,
  state: LockedState,
  { by, newAgentState }: MergeOptions,
): Promise<RecordWrite | VersionWrite> {
  const { name, labels = {} } = declared.metadata;
  if (declared.kind === 'TaskTemplate') {
    const next = { name, labels, spec: declared.spec, author: by.name, publisher: by.name };
    return { kind: 'TaskTemplate', ...(await nextVersionOf(state, next)) };
  }
  const { kind, spec } = declared;
  const newAgent = kind === 'Agent' ? { newAgent: { id: newId('agt'), state: newAgentState } } : {};
  return { kind, name, labels, spec: spec as Json, updatedBy: by.name, ...newAgent };
}

function keyOf({ kind, metadata }: Declaration): string {
  return `${kind}/${metadata.name}`;
}

/** Treats missing labels as an empty set. */
function withLabels(declared: Declaration): Declaration {
  return { ...declared, metadata: { ...declared.metadata, labels: declared.metadata.labels ?? {} } };
}
