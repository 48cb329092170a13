import { auditEntry } from '@mayfly/audit';
import { Problem, type Clock, type Json, type Page, type PageRequest } from '@mayfly/kernel';
import type { Catalog } from '../catalog.js';
import type { ChangeRequests } from '../changes/change-requests.js';
import { REQUESTED_KINDS, type RequestedChange } from '../changes/document-change.js';
import type { DeclarationContext } from '../check-declarations.js';
import type { DeclarationStore, LockedState } from '../declaration.store.js';
import type { Declaration, DeclarationOf } from '../document.schema.js';
import { DELETED_BY_ONE, usesOf, type RemovableKind } from './declaration-uses.js';
import { existing, type DeclaredRecord, type Declarer, type RecordKind } from './declared-record.js';
import { DocumentWriter, type AppliedDeclarations } from './document-writer.js';
import { refuseRoles } from './issuer-roles.js';
import { refuseForeign } from './ownership.js';
import { MUST_BE_NEW, requireMet, type Precondition } from './precondition.js';
import { readDocument } from './read-document.js';

/** The parts and the settings that the use case works with. */
export interface DeclarationsParts {
  readonly store: DeclarationStore;
  readonly context: DeclarationContext;
  readonly catalog: Pick<Catalog, 'refresh'>;
  readonly clock: Clock;
  /** true: issuers with roles may be declared over the API, not only by the operator's files */
  readonly rolesOverApi: boolean;
  /** true: a platform person changes only documents of its own groups */
  readonly ownership?: boolean;
  /** when present, a change waits for a second person; without it, one person declares */
  readonly requests?: Pick<ChangeRequests, 'request' | 'withdraw'>;
  /** receives errors after the commit of a change; the background loops retry that work */
  readonly report: (error: unknown) => void;
}

/** Issuers, connections and agents, and files of documents. Each change is checked against the whole declared state. */
export class Declarations {
  private readonly writer: DocumentWriter;

  constructor(private readonly parts: DeclarationsParts) {
    this.writer = new DocumentWriter(parts);
  }

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
    return this.parts.store.underLock((state) => this.writer.merge(state, documents, { by, newAgentState: 'active' }));
  }

  /**
   * Creates a document, or asks for the change where two persons must agree; a new agent is `registered`. Throws
   * `invalid_declaration`, `policy_denied` (`issuer-roles`, `ownership`), and `conflict` when the name is taken or
   * another person's change of it waits.
   */
  create(kind: RecordKind, body: Json | undefined, by: Declarer): Promise<DeclaredRecord | RequestedChange> {
    return this.write(readDocument(kind, body), MUST_BE_NEW, by);
  }

  /**
   * Creates or replaces a document, or asks for the change where two persons must agree. Throws `invalid_declaration`,
   * `policy_denied` (`issuer-roles`, `ownership`), `conflict` when another person's change waits, and the problem of the
   * precondition.
   */
  put(kind: RecordKind, name: string, body: Json | undefined, precondition: Precondition, by: Declarer) {
    return this.write(readDocument(kind, body, name), precondition, by);
  }

  /**
   * Deletes an unused record at once: nobody gains by it. A change of it that waits is closed. Throws `not_found`,
   * `policy_denied` (`issuer-roles`, `ownership`), the problem of the precondition, and `conflict` naming the users.
   */
  async remove(kind: RemovableKind, name: string, precondition: Precondition, by: Declarer): Promise<void> {
    const { store, context, clock, rolesOverApi, ownership = false, requests } = this.parts;
    await store.underLock(async (state) => {
      const before = existing(await state.record(kind, name), kind, name);
      if (!rolesOverApi) refuseRoles(before);
      if (ownership) refuseForeign(by, [before]);
      requireMet(precondition, before.revision);
      if (requests !== undefined && !DELETED_BY_ONE[kind]) refuseFilled(before);
      const uses = await usesOf(kind, name, state, context.providers);
      if (uses.length > 0)
        throw new Problem(
          'conflict',
          `\`${name}\` is used by ${uses.slice(0, 10).join(', ')}; change or end those first`,
        );
      await requests?.withdraw(state, before, by.actor);
      const facts = { kind, name, change: 'delete' as const };
      await state.remove(kind, name, auditEntry('declaration.changed', clock.now(), by.actor, {}, facts));
    });
    await this.refresh();
  }

  private async write(
    declared: DeclarationOf<RecordKind>,
    precondition: Precondition,
    by: Declarer,
  ): Promise<DeclaredRecord | RequestedChange> {
    const { name } = declared.metadata;
    const written = await this.parts.store.underLock(async (state) => {
      const before = await state.record(declared.kind, name);
      if (!this.parts.rolesOverApi) refuseRoles(before, declared);
      if (this.parts.ownership === true) refuseForeign(by, [before, { ...declared, name }]);
      requireMet(precondition, before?.revision);
      return this.writeLocked(state, declared, before, by);
    });
    await this.refresh();
    return written;
  }

  /** INVARIANT: where two persons must agree, this is the only way of one person to the documents of these kinds. */
  private async writeLocked(
    state: LockedState,
    declared: DeclarationOf<RecordKind>,
    before: DeclaredRecord | undefined,
    by: Declarer,
  ): Promise<DeclaredRecord | RequestedChange> {
    const { kind, metadata } = declared;
    const { requests } = this.parts;
    if (requests !== undefined && REQUESTED_KINDS[kind]) {
      const change = await requests.request(state, declared, before, by);
      return change === undefined ? existing(before, kind, metadata.name) : { change };
    }
    await this.writer.merge(state, [declared], { by, newAgentState: 'registered' });
    return existing(await state.record(kind, metadata.name), kind, metadata.name);
  }

  /** Refreshes the catalog. A failed refresh does not fail the change, which is committed. */
  private async refresh(): Promise<void> {
    await this.parts.catalog.refresh().catch(this.parts.report);
  }
}

/** INVARIANT: where two persons must agree, one alone removes nothing that forbids: a policy goes by a change first. */
function refuseFilled({ name, spec }: DeclaredRecord): void {
  const { policies = {} } = spec as { readonly policies?: object };
  if (Object.keys(policies).length === 0) return;
  throw new Problem(
    'conflict',
    `\`${name}\` still has policies, which two persons change here; replace them with none first`,
    {
      help: 'send the document with `policies: {}`, and delete it when a second person has approved that',
    },
  );
}
