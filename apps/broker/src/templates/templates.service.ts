import type { AnyProvider } from '@mayfly/credentials';
import { type Catalog, type DeclarationOf, lintFactsOf, parseDocument, type Precondition } from '@mayfly/declarations';
import { Problem, type Json, type JsonObject } from '@mayfly/kernel';
import type { EditedDraft, PgTemplateStore, TemplateRecord } from '@mayfly/persistence';
import { diffSpecs, lintTemplate } from '@mayfly/templates';
import { z } from 'zod';
import { pageView, positionOf, type PageQuery } from '../http/page.js';
import { mustBeNew } from '../http/preconditions.js';
import { declarerOf, nameOf, type Principal } from '../security/principal.js';
import type { RefusalRecorder } from '../security/refusal.recorder.js';
import type { TargetExamination } from './target-examination.js';
import { findingsView, templateView, versionView, type DiffQuery } from './template.view.js';

export interface TemplatesParts {
  readonly templates: PgTemplateStore;
  readonly catalog: Pick<Catalog, 'refresh' | 'connections'>;
  readonly providers: readonly AnyProvider[];
  readonly examination: Pick<TargetExamination, 'about'>;
  readonly refusals: Pick<RefusalRecorder, 'forbidden'>;
  /** true: the editors of a draft may not publish it */
  readonly fourEyes: boolean;
  /** receives errors after the commit of a change; the background loops retry that work */
  readonly report: (error: unknown) => void;
}

/** An answer with the revision of its `ETag`. */
export interface Revised {
  readonly name: string;
  readonly revision: number;
  readonly body: JsonObject;
}

/** Reads and changes templates, drafts and versions for the routes. */
export class TemplatesService {
  constructor(private readonly parts: TemplatesParts) {}

  async list({ limit, cursor }: PageQuery): Promise<JsonObject> {
    const { items, next } = await this.parts.templates.list({ limit, after: positionOf(cursor, z.string()) });
    return pageView(items.map(templateView), next);
  }

  /** Reads a template with its current version, if it has one. Throws `not_found`, as the other reads do. */
  async view(name: string): Promise<Revised> {
    return this.revised(await this.parts.templates.find(name));
  }

  async draft(name: string): Promise<Revised> {
    const { revision, draft } = await this.parts.templates.find(name);
    if (draft === undefined) throw new Problem('not_found', `template \`${name}\` has no draft`);
    return {
      name,
      revision,
      body: { name, ...contentOf(draft), author: draft.author, editors: [...draft.editors], revision },
    };
  }

  async versions(name: string, { limit, cursor }: PageQuery): Promise<JsonObject> {
    const after = positionOf(cursor, z.int());
    const { items, next } = await this.parts.templates.versions(name, { limit, after });
    return pageView(items.map(versionView), next);
  }

  async version(name: string, version: number): Promise<JsonObject> {
    return versionView(await this.parts.templates.version(name, version));
  }

  /** Compares two versions, or a version with the draft. */
  async diff(name: string, { from, to }: DiffQuery): Promise<JsonObject> {
    const before = await this.parts.templates.version(name, from);
    const after = to === 'draft' ? (await this.draft(name)).body : await this.parts.templates.version(name, to);
    const differences = diffSpecs(contentOf(before), contentOf(after));
    return { from, to, differences: differences.map((difference) => ({ ...difference })) };
  }

  /** Creates a template with its first draft. Throws `invalid_declaration`, and `conflict` when the name is taken. */
  async create(body: Json, caller: Principal): Promise<Revised> {
    return this.revised(await this.parts.templates.saveDraft(readDocument(body), mustBeNew, declarerOf(caller)));
  }

  /**
   * Replaces or starts the draft. Throws `invalid_declaration`, `not_found`, `conflict` (retired),
   * `precondition_failed`.
   */
  async replaceDraft(name: string, body: Json, precondition: Precondition, caller: Principal): Promise<Revised> {
    const document = readDocument(body);
    if (document.metadata.name !== name) {
      const detail = `use \`${name}\`, the name in the address`;
      throw new Problem('invalid_declaration', detail, { errors: [{ pointer: '/metadata/name', detail }] });
    }
    return this.revised(await this.parts.templates.saveDraft(document, precondition, declarerOf(caller)));
  }

  /** Lints a document as at publication; asks its targets when it has no error. Throws `invalid_declaration`. */
  async lint(body: Json): Promise<JsonObject> {
    const facts = lintFactsOf(this.parts.providers, this.parts.catalog.connections);
    const { spec } = readDocument(body);
    const findings = lintTemplate(spec, facts);
    const isSound = findings.every(({ severity }) => severity !== 'error');
    return { findings: findingsView([...findings, ...(isSound ? await this.parts.examination.about(spec) : [])]) };
  }

  /**
   * Publishes the draft and returns the template with the linter's warnings. Throws `invalid_template`, which is
   * audited, and `policy_denied` for an editor of the draft.
   */
  async publish(name: string, precondition: Precondition, caller: Principal): Promise<Revised> {
    const judge = ({ editors }: EditedDraft): void => {
      if (this.parts.fourEyes && editors.includes(nameOf(caller))) throw fourEyesRefusal();
    };
    try {
      await this.parts.templates.publish(name, { precondition, judge, by: declarerOf(caller) });
    } catch (error) {
      if (error instanceof Problem && error.code === 'policy_denied') {
        await this.parts.refusals.forbidden(caller, 'POST /templates/:name/publish', error.extensions.control);
      }
      throw error;
    }
    await this.refresh();
    const { revision, body } = await this.view(name);
    return { name, revision, body: { ...body, warnings: await this.warnings(name) } };
  }

  private async warnings(name: string): Promise<JsonObject[]> {
    const { currentVersion } = await this.parts.templates.find(name);
    if (currentVersion === undefined) return [];
    const { spec } = await this.parts.templates.version(name, currentVersion);
    const facts = lintFactsOf(this.parts.providers, this.parts.catalog.connections);
    return findingsView([...lintTemplate(spec, facts), ...(await this.parts.examination.about(spec))]);
  }

  async retire(name: string, caller: Principal): Promise<Revised> {
    const template = await this.parts.templates.retire(name, declarerOf(caller));
    await this.refresh();
    return this.revised(template);
  }

  private async revised(template: TemplateRecord): Promise<Revised> {
    const { name, revision, state, currentVersion } = template;
    const inForce = state === 'published' && currentVersion !== undefined;
    const version = inForce ? await this.version(name, currentVersion) : null;
    return { name, revision, body: { ...templateView(template), inForce: version } };
  }

  /** Refreshes the catalog. A failed refresh does not fail the request, because the change is committed. */
  private async refresh(): Promise<void> {
    await this.parts.catalog.refresh().catch(this.parts.report);
  }
}

function readDocument(body: Json | undefined): DeclarationOf<'TaskTemplate'> {
  return parseDocument(body ?? null, 'TaskTemplate') as DeclarationOf<'TaskTemplate'>;
}

/** Returns the compared members of a version or a draft. */
function contentOf({ labels, spec }: { readonly labels?: unknown; readonly spec?: unknown }): JsonObject {
  return { labels: labels as Json, spec: spec as Json };
}

/** Builds the refusal for a caller who edited the draft that it wants to publish. */
export function fourEyesRefusal(): Problem {
  return new Problem('policy_denied', 'who changed a draft does not publish it', {
    control: 'four-eyes',
    help: 'ask another member of the platform team to read and publish it',
  });
}
