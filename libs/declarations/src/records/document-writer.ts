import { auditEntry, type AuditEntry } from '@mayfly/audit';
import { newId, type Clock, type Json } from '@mayfly/kernel';
import { checkDeclarations, type DeclarationContext } from '../check-declarations.js';
import type { LockedState, RecordWrite, VersionWrite } from '../declaration.store.js';
import { diffDeclarations, type DeclarationChange } from '../diff-declarations.js';
import type { Declaration } from '../document.schema.js';
import { nextVersionOf } from '../templates/template-publication.js';
import { placesOf } from './changed-places.js';
import type { Declarer } from './declared-record.js';

/** The result of applying documents. */
export interface AppliedDeclarations {
  /** one for each document, unchanged documents included */
  readonly changes: readonly DeclarationChange[];
  /** hints for the operator; they do not stop the change */
  readonly warnings: readonly string[];
}

interface MergeOptions {
  readonly by: Declarer;
  /** the state of a new agent */
  readonly newAgentState: 'registered' | 'active';
}

/** Writes documents into locked declared state, each checked against the whole. */
export class DocumentWriter {
  constructor(private readonly parts: { readonly context: DeclarationContext; readonly clock: Clock }) {}

  /**
   * Checks a document against the declared state, and when that refuses it, with the documents of `waiting` in force
   * too: a document may name another one that waits before it. Throws `invalid_declaration`.
   */
  async check(
    state: Pick<LockedState, 'declared'>,
    declared: Declaration,
    waiting: () => Promise<readonly Declaration[]>,
  ): Promise<void> {
    const { declarations } = await state.declared();
    try {
      checkDeclarations(replacing(declarations, [declared]), this.parts.context, [declared]);
    } catch (error) {
      const others = (await waiting()).filter((other) => keyOf(other) !== keyOf(declared));
      if (others.length === 0) throw error;
      try {
        checkDeclarations(replacing(declarations, [...others, declared]), this.parts.context, [declared]);
      } catch {
        throw error;
      }
    }
  }

  /** Writes the documents that differ from the declared ones. Throws `invalid_declaration` or `invalid_template`. */
  async merge(
    state: LockedState,
    documents: readonly Declaration[],
    options: MergeOptions,
  ): Promise<AppliedDeclarations> {
    const { declarations, retiredTemplates } = await state.declared();
    const isRetired = ({ kind, metadata }: Declaration): boolean =>
      kind === 'TaskTemplate' && retiredTemplates.has(metadata.name);
    const news = documents.filter((declared) => !isRetired(declared)).map(withLabels);
    const changes = diffDeclarations(declarations, news);
    const same = new Set(
      changes.filter(({ change }) => change === 'unchanged').map(({ kind, name }) => `${kind}/${name}`),
    );
    const differing = news.filter((declared) => !same.has(keyOf(declared)));
    const { warnings } = checkDeclarations(replacing(declarations, news), this.parts.context, news, differing);
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
}

/** Returns the declared documents with these ones in place of those of the same names. */
function replacing(declared: readonly Declaration[], news: readonly Declaration[]): Declaration[] {
  const replaced = new Set(news.map(keyOf));
  return [...declared.filter((one) => !replaced.has(keyOf(one))), ...news];
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
