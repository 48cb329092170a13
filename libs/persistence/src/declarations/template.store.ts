import { auditEntry, type AuditEntryType, type EntryFacts } from '@mayfly/audit';
import type { AnyProvider } from '@mayfly/credentials';
import {
  type DeclarationOf,
  type Declarer,
  existing,
  lintFactsOf,
  ofKind,
  parseDocument,
  type Precondition,
} from '@mayfly/declarations';
import { type Clock, type Json, type Page, type PageRequest, Problem } from '@mayfly/kernel';
import { diffSpecs, lintTemplate, refuseErrors } from '@mayfly/templates';
import type { ClientBase, Pool } from 'pg';
import { insertAudit } from '../audit/audit-rows.js';
import { jsonText } from '../database/columns.js';
import { databaseUnread } from '../database/database-problem.js';
import { underDeclarationLock } from './declaration-lock.js';
import { placesOf } from './declaration-places.js';
import { readDeclaredState } from './declaration-rows.js';
import { publishVersion } from './template-publication.js';
import {
  type EditedDraft,
  findTemplate,
  findVersion,
  listTemplates,
  listVersions,
  type PublishedVersion,
  type TemplateDraft,
  type TemplateRecord,
} from './template-rows.js';

export interface PublishRequest {
  readonly precondition: Precondition;
  /** throws the `Problem` for the caller when `by` may not publish this draft */
  readonly judge: (draft: EditedDraft) => void;
  readonly by: Declarer;
}

/** The store of task templates on PostgreSQL: drafts that change, and immutable versions. */
export class PgTemplateStore {
  constructor(
    private readonly pool: Pool,
    private readonly clock: Clock,
    private readonly providers: readonly AnyProvider[],
  ) {}

  /** Returns the template. Throws `not_found`, as the other reads do. */
  async find(name: string): Promise<TemplateRecord> {
    return existing(await findTemplate(this.pool, name).catch(databaseUnread), 'TaskTemplate', name);
  }

  async version(name: string, version: number): Promise<PublishedVersion> {
    const found = await findVersion(this.pool, name, version).catch(databaseUnread);
    if (found === undefined) throw new Problem('not_found', `there is no version ${String(version)} of \`${name}\``);
    return found;
  }

  list(page: PageRequest<string>): Promise<Page<TemplateRecord, string>> {
    return listTemplates(this.pool, page).catch(databaseUnread);
  }

  async versions(name: string, page: PageRequest<number>): Promise<Page<PublishedVersion, number>> {
    await this.find(name);
    return listVersions(this.pool, name, page).catch(databaseUnread);
  }

  /**
   * Saves a draft in place of the old one; the version in force stays in force. Throws the errors of `precondition`,
   * and `conflict` for a retired template.
   */
  saveDraft(
    { metadata: { name, labels = {} }, spec }: DeclarationOf<'TaskTemplate'>,
    precondition: Precondition,
    by: Declarer,
  ): Promise<TemplateRecord> {
    return underDeclarationLock(this.pool, async (client) => {
      const before = await findTemplate(client, name);
      precondition(before?.revision);
      refuseRetired(before);
      const { author, editors } = await writersOf(client, before, { labels, spec }, by.name);
      await client.query(
        `INSERT INTO public.template AS old (name, labels, draft, draft_author, draft_editors) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (name) DO UPDATE SET draft = EXCLUDED.draft, draft_author = EXCLUDED.draft_author,
           draft_editors = EXCLUDED.draft_editors, revision = old.revision + 1, updated_at = now()`,
        [name, jsonText(labels), jsonText({ labels, spec }), author, editors],
      );
      await this.note(client, 'template.drafted', by, { name, ...changed(before?.draft, { labels, spec }) });
      return existing(await findTemplate(client, name), 'TaskTemplate', name);
    });
  }

  /**
   * Makes the draft the next version and puts it in force. Throws `not_found`, `conflict` without a draft or for a
   * retired template, the errors of `precondition` and `judge`, and `invalid_template` with the rules that the draft
   * breaks.
   */
  publish(name: string, request: PublishRequest): Promise<PublishedVersion> {
    return this.publishDraft(name, request).catch(async (error: unknown) => {
      if (error instanceof Problem && error.code === 'invalid_template')
        await this.noteRefusal(name, request.by, error);
      throw error;
    });
  }

  private publishDraft(name: string, { precondition, judge, by }: PublishRequest): Promise<PublishedVersion> {
    return underDeclarationLock(this.pool, async (client) => {
      const template = existing(await findTemplate(client, name), 'TaskTemplate', name);
      precondition(template.revision);
      refuseRetired(template);
      const { draft, currentVersion } = template;
      if (draft === undefined) throw new Problem('conflict', `template \`${name}\` has no draft to publish`);
      judge(draft);
      await this.lint(client, name, draft);
      const before = currentVersion === undefined ? undefined : await findVersion(client, name, currentVersion);
      const { editors, ...content } = draft;
      const version = await publishVersion(client, { name, ...content, publisher: by.name });
      await client.query(
        `UPDATE public.template SET draft = NULL, draft_author = NULL, draft_editors = '{}' WHERE name = $1`,
        [name],
      );
      const facts = { name, version, author: draft.author, editors: [...editors], ...changed(before, draft) };
      await this.note(client, 'template.published', by, facts);
      return existing(await findVersion(client, name, version), 'TaskTemplate', name);
    });
  }

  /** Retires a template for good; running tasks keep their credentials. Throws `not_found`. */
  retire(name: string, by: Declarer): Promise<TemplateRecord> {
    return underDeclarationLock(this.pool, async (client) => {
      const template = existing(await findTemplate(client, name), 'TaskTemplate', name);
      if (template.state === 'retired') return template;
      await client.query(
        `UPDATE public.template SET state = 'retired', revision = revision + 1, updated_at = now() WHERE name = $1`,
        [name],
      );
      await this.note(client, 'template.retired', by, { name });
      return existing(await findTemplate(client, name), 'TaskTemplate', name);
    });
  }

  /** Lints the draft by the current rules: an older release may have saved it. */
  private async lint(client: ClientBase, name: string, { labels, spec }: TemplateDraft): Promise<void> {
    parseDocument({ kind: 'TaskTemplate', metadata: { name, labels }, spec: spec as Json });
    const { declarations } = await readDeclaredState(client);
    const connections = ofKind('Connection', declarations).map(({ metadata: { name }, spec }) => ({ name, spec }));
    refuseErrors(lintTemplate(spec, lintFactsOf(this.providers, connections)), '/spec');
  }

  /** Audits a refused publication, after the rollback: the rules that the draft breaks, and where. */
  private async noteRefusal(name: string, by: Declarer, { detail, extensions }: Problem): Promise<void> {
    const places = (extensions.errors ?? []).map((error) => ({ ...error }));
    const facts = { name, detail, errors: places };
    await insertAudit(this.pool, [auditEntry('template.refused', this.clock.now(), by.actor, {}, facts)]);
  }

  private async note<Type extends AuditEntryType>(
    client: ClientBase,
    type: Type,
    by: Declarer,
    facts: EntryFacts<Type>,
  ): Promise<void> {
    await insertAudit(client, [auditEntry(type, this.clock.now(), by.actor, {}, facts)]);
  }
}

function refuseRetired(template: TemplateRecord | undefined): void {
  if (template?.state === 'retired') throw new Problem('conflict', `template \`${template.name}\` is retired for good`);
}

/**
 * Returns the author and editors of a draft as saved now. Saving unchanged content keeps them; saving the content in
 * force removes all earlier editors.
 */
async function writersOf(
  client: ClientBase,
  before: TemplateRecord | undefined,
  saved: Changeable,
  by: string,
): Promise<{ readonly author: string; readonly editors: readonly string[] }> {
  const { name = '', draft, currentVersion } = before ?? {};
  if (draft === undefined) return { author: by, editors: [by] };
  if (isSame(draft, saved)) return draft;
  const inForce = currentVersion === undefined ? undefined : await findVersion(client, name, currentVersion);
  if (inForce !== undefined && isSame(inForce, saved)) return { author: by, editors: [by] };
  return { author: by, editors: [...new Set([...draft.editors, by])] };
}

function isSame(one: Changeable, other: Changeable): boolean {
  return diffSpecs(contentOf(one), contentOf(other)).length === 0;
}

type Changeable = Pick<TemplateDraft, 'labels' | 'spec'>;

function changed(before: Changeable | undefined, after: Changeable) {
  if (before === undefined) return { change: 'create' as const };
  return { change: 'update' as const, ...placesOf(diffSpecs(contentOf(before), contentOf(after))) };
}

function contentOf({ labels, spec }: Changeable): Json {
  return { labels, spec: spec as Json };
}
