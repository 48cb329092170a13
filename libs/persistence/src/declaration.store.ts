import {
  checkDeclarations,
  diffDeclarations,
  type Declaration,
  type DeclarationChange,
  type DeclarationContext,
} from '@mayfly/declarations';
import type { Clock } from '@mayfly/kernel';
import type { ClientBase, Pool } from 'pg';
import { underDeclarationLock } from './declaration-lock.js';
import { readDeclaredState } from './declaration-rows.js';
import { writeDeclarations, type Declarer, type WriteOptions } from './declaration-writes.js';

/** What came of applying documents. */
export interface AppliedDeclarations {
  /** one a document, those that changed nothing included */
  readonly changes: readonly DeclarationChange[];
  /** what an operator should look at; it stops nothing */
  readonly warnings: readonly string[];
}

/** Declared state on PostgreSQL. Every change is checked against all the rest, in its own transaction. */
export class PgDeclarationStore {
  constructor(
    private readonly pool: Pool,
    private readonly clock: Clock,
    private readonly context: DeclarationContext,
  ) {}

  /**
   * Applies documents, all or none: agents become active at once, templates are in force at once where they differ.
   * Agents and templates that were suspended or retired stay so. Throws `invalid_declaration` or `invalid_template`.
   */
  apply(documents: readonly Declaration[], by: Declarer): Promise<AppliedDeclarations> {
    return underDeclarationLock(this.pool, (client) =>
      this.merge(client, documents, { by, clock: this.clock, newAgentState: 'active' }),
    );
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
    const { warnings } = checkDeclarations([...kept, ...news], this.context);
    const changes = diffDeclarations(declarations, news);
    const byKey = new Map(news.map((declared) => [keyOf(declared), declared]));
    const writes = changes.flatMap((change) => {
      const declared = change.change === 'unchanged' ? undefined : byKey.get(`${change.kind}/${change.name}`);
      return declared === undefined ? [] : [{ declared, change }];
    });
    await writeDeclarations(client, writes, options);
    const passedOver = documents.filter(isRetired).map((declared) => `${keyOf(declared)}: retired; it was passed over`);
    return { changes, warnings: [...passedOver, ...warnings.map(({ detail }) => detail)] };
  }
}

function keyOf({ kind, metadata }: Declaration): string {
  return `${kind}/${metadata.name}`;
}

/** No labels and an empty set of them are one thing. */
function withLabels(declared: Declaration): Declaration {
  return { ...declared, metadata: { ...declared.metadata, labels: declared.metadata.labels ?? {} } };
}
