import { auditEntry, type AuditEntry, type AuditEntryType, type EntryFacts } from '@mayfly/audit';
import type { AnyProvider } from '@mayfly/credentials';
import { Problem, type Clock, type Json, type Page, type PageRequest } from '@mayfly/kernel';
import { lintTemplate, type Difference, type Finding } from '@mayfly/templates';
import type { Catalog } from '../catalog.js';
import type { DeclarationStore, LockedState } from '../declaration.store.js';
import type { DeclarationOf } from '../document.schema.js';
import { lintFactsOf } from '../lint-facts.js';
import { existing, type Declarer } from '../records/declared-record.js';
import { refuseForeign } from '../records/ownership.js';
import { MUST_BE_NEW, requireMet, type Precondition } from '../records/precondition.js';
import { readDocument } from '../records/read-document.js';
import type { PolicyCheck } from '../policies/policy-faults.js';
import type { TargetExamination } from './target-examination.js';
import { changedFacts, differencesOf, editedBy, refuseRetired } from './template-drafts.js';
import { fourEyesRefusal, lintDraft, nextVersionOf } from './template-publication.js';
import type { EditedDraft, PublishedVersion, TemplateRecord } from './template-record.js';

/** The parts and the settings that the use case works with. */
export interface TemplatesParts {
  readonly store: DeclarationStore;
  readonly catalog: Pick<Catalog, 'refresh' | 'connections'>;
  readonly providers: readonly AnyProvider[];
  readonly examination: Pick<TargetExamination, 'about'>;
  /** judges conditions; where it is absent, they are refused */
  readonly policies?: PolicyCheck;
  readonly clock: Clock;
  /** true: the editors of a draft may not publish it */
  readonly fourEyes: boolean;
  /** true: a platform person acts only on templates of its own groups */
  readonly ownership?: boolean;
  /** receives errors after the commit of a change; the background loops retry that work */
  readonly report: (error: unknown) => void;
}

/**
 * A template with the version that requests get. A template that was never published, or is retired, has no `inForce`.
 */
export interface StandingTemplate {
  readonly template: TemplateRecord;
  readonly inForce?: PublishedVersion;
}

/** Task templates: drafts that change, and immutable versions. */
export class Templates {
  constructor(private readonly parts: TemplatesParts) {}

  list(page: PageRequest<string>): Promise<Page<TemplateRecord, string>> {
    return this.parts.store.templates.list(page);
  }

  /** Reads a template. Throws `not_found`, as the other reads do. */
  async find(name: string): Promise<StandingTemplate> {
    return this.standing(await this.read(name));
  }

  async draft(name: string): Promise<{ readonly revision: number; readonly draft: EditedDraft }> {
    const { revision, draft } = await this.read(name);
    if (draft === undefined) throw new Problem('not_found', `template \`${name}\` has no draft; write one with PUT`);
    return { revision, draft };
  }

  async versions(name: string, page: PageRequest<number>): Promise<Page<PublishedVersion, number>> {
    await this.read(name);
    return this.parts.store.templates.versions(name, page);
  }

  async version(name: string, version: number): Promise<PublishedVersion> {
    const found = await this.parts.store.templates.version(name, version);
    if (found === undefined) throw new Problem('not_found', `there is no version ${String(version)} of \`${name}\``);
    return found;
  }

  /** Compares two versions, or a version with the draft. */
  async diff(name: string, from: number, to: number | 'draft'): Promise<Difference[]> {
    const before = await this.version(name, from);
    return differencesOf(before, to === 'draft' ? (await this.draft(name)).draft : await this.version(name, to));
  }

  /** Lints a document as at publication; asks its targets when it has no error. Throws `invalid_declaration`. */
  async lint(body: Json | undefined): Promise<readonly Finding[]> {
    const { spec } = readDocument('TaskTemplate', body);
    const findings = this.findings(spec);
    const isSound = findings.every(({ severity }) => severity !== 'error');
    return isSound ? [...findings, ...(await this.parts.examination.about(spec))] : findings;
  }

  /** Creates a template with its first draft. Throws `invalid_declaration`, and `conflict` when the name is taken. */
  create(body: Json | undefined, by: Declarer): Promise<StandingTemplate> {
    return this.saveDraft(readDocument('TaskTemplate', body), MUST_BE_NEW, by);
  }

  /**
   * Replaces or starts the draft; the version in force stays in force. Throws `invalid_declaration`, `conflict`
   * (retired), and the problem of the precondition.
   */
  replaceDraft(name: string, body: Json | undefined, precondition: Precondition, by: Declarer) {
    return this.saveDraft(readDocument('TaskTemplate', body, name), precondition, by);
  }

  /**
   * Makes the draft the next version, puts it in force, and returns the template with the linter's warnings. Throws
   * `not_found`, `conflict` without a draft or for a retired template, the problem of the precondition, `policy_denied`
   * for an editor of the draft, and `invalid_template` with the rules that the draft breaks, which is audited.
   */
  async publish(
    name: string,
    precondition: Precondition,
    by: Declarer,
  ): Promise<StandingTemplate & { readonly warnings: readonly Finding[] }> {
    const { spec } = await this.parts.store
      .underLock((state) => this.publishDraft(state, name, precondition, by))
      .catch(async (error: unknown) => {
        if (error instanceof Problem && error.code === 'invalid_template') await this.noteRefusal(name, by, error);
        throw error;
      });
    await this.refresh();
    const standing = await this.find(name);
    return { ...standing, warnings: [...this.findings(spec), ...(await this.parts.examination.about(spec))] };
  }

  /** Retires a template for good; running tasks keep their credentials. Throws `not_found`. */
  async retire(name: string, by: Declarer): Promise<StandingTemplate> {
    const retired = await this.parts.store.underLock(async (state) => {
      const template = existing(await state.template(name), 'TaskTemplate', name);
      await this.refuseForeign(state, template, by);
      if (template.state === 'retired') return template;
      await state.retireTemplate(name, this.entry('template.retired', by, { name }));
      return existing(await state.template(name), 'TaskTemplate', name);
    });
    await this.refresh();
    return this.standing(retired);
  }

  private async saveDraft(
    { metadata: { name, labels = {} }, spec }: DeclarationOf<'TaskTemplate'>,
    precondition: Precondition,
    by: Declarer,
  ): Promise<StandingTemplate> {
    const saved = await this.parts.store.underLock(async (state) => {
      const before = await state.template(name);
      await this.refuseForeign(state, before, by, spec);
      requireMet(precondition, before?.revision);
      refuseRetired(before);
      const draft = await editedBy(by.name, { labels, spec }, before, state);
      const facts = { name, ...changedFacts(before?.draft, draft) };
      await state.saveDraft(name, draft, this.entry('template.drafted', by, facts));
      return existing(await state.template(name), 'TaskTemplate', name);
    });
    return this.standing(saved);
  }

  private async publishDraft(
    state: LockedState,
    name: string,
    precondition: Precondition,
    by: Declarer,
  ): Promise<PublishedVersion> {
    const template = existing(await state.template(name), 'TaskTemplate', name);
    await this.refuseForeign(state, template, by);
    requireMet(precondition, template.revision);
    refuseRetired(template);
    const { draft, currentVersion } = template;
    if (draft === undefined)
      throw new Problem('conflict', `template \`${name}\` has no draft to publish; write one with PUT`);
    const { editors, ...content } = draft;
    if (this.parts.fourEyes && editors.includes(by.name)) throw fourEyesRefusal();
    await lintDraft(state, name, draft, this.parts.providers, this.parts.policies);
    const before = currentVersion === undefined ? undefined : await state.version(name, currentVersion);
    const next = await nextVersionOf(state, { name, ...content, publisher: by.name });
    const { version, author } = next;
    const facts = { name, version, author, editors: [...editors], ...changedFacts(before, draft) };
    await state.publishDraft(next, this.entry('template.published', by, facts));
    return existing(await state.version(name, version), 'TaskTemplate', name);
  }

  /** Throws `policy_denied` unless the caller acts for the owners of the version in force, the draft and the new spec. */
  private async refuseForeign(
    state: Pick<LockedState, 'version'>,
    template: TemplateRecord | undefined,
    by: Declarer,
    spec?: EditedDraft['spec'],
  ): Promise<void> {
    if (this.parts.ownership !== true) return;
    const { name = '', currentVersion, draft } = template ?? {};
    const inForce = currentVersion === undefined ? undefined : await state.version(name, currentVersion);
    const specs = [inForce?.spec, draft?.spec, spec].filter((one) => one !== undefined);
    refuseForeign(
      by,
      specs.map((one) => ({ kind: 'TaskTemplate', name, spec: one })),
    );
  }

  /** Audits a refused publication, after the rollback: the rules that the draft breaks, and where. */
  private async noteRefusal(name: string, by: Declarer, { detail, extensions }: Problem): Promise<void> {
    const errors = (extensions.errors ?? []).map((error) => ({ ...error }));
    await this.parts.store.record([this.entry('template.refused', by, { name, detail, errors })]);
  }

  private findings(spec: DeclarationOf<'TaskTemplate'>['spec']): readonly Finding[] {
    return lintTemplate(spec, lintFactsOf(this.parts.providers, this.parts.catalog.connections, this.parts.policies));
  }

  private async standing(template: TemplateRecord): Promise<StandingTemplate> {
    const { name, state, currentVersion } = template;
    if (state !== 'published' || currentVersion === undefined) return { template };
    return { template, inForce: await this.version(name, currentVersion) };
  }

  private async read(name: string): Promise<TemplateRecord> {
    return existing(await this.parts.store.templates.find(name), 'TaskTemplate', name);
  }

  private entry<Type extends AuditEntryType>(type: Type, by: Declarer, facts: EntryFacts<Type>): AuditEntry {
    return auditEntry(type, this.parts.clock.now(), by.actor, {}, facts);
  }

  /** Refreshes the catalog. A failed refresh does not fail the change, which is committed. */
  private async refresh(): Promise<void> {
    await this.parts.catalog.refresh().catch(this.parts.report);
  }
}
