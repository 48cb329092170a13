import type { EditedDraft, PublishedVersion, StandingTemplate, TemplateRecord } from '@mayfly/declarations';
import { type JsonObject, LabelsSchema, NameSchema } from '@mayfly/kernel';
import type { Finding } from '@mayfly/templates';
import { z } from 'zod';
import { pageSchema } from '@mayfly/http';

/** A version number in a path or a query. */
export const VersionNumberSchema = z.coerce.number().int().min(1).max(2_147_483_647);

/** View of a published version. */
export const VersionViewSchema = z
  .strictObject({
    name: NameSchema,
    version: z.int(),
    labels: LabelsSchema,
    spec: z.record(z.string(), z.json()),
    digest: z.string().meta({ description: 'SHA-256 of the canonical JSON of `spec`, base64url' }),
    author: z.string(),
    publisher: z.string(),
    publishedAt: z.iso.datetime(),
  })
  .meta({ id: 'TemplateVersion' });
export const VersionPageSchema = pageSchema(VersionViewSchema, 'TemplateVersionPage');

const templateShape = {
  name: NameSchema,
  state: z.enum(['draft', 'published', 'retired']),
  labels: LabelsSchema,
  revision: z.int().meta({ description: 'counts changes of draft and state; also in the `ETag`' }),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
  currentVersion: z.int().nullable(),
  draft: z
    .strictObject({ author: z.string(), editors: z.array(z.string()) })
    .nullable()
    .meta({
      description:
        'the last author of the unpublished draft, and everyone who changed it since the last publication; null without a draft',
    }),
};

const TemplateSummarySchema = z.strictObject(templateShape).meta({ id: 'TemplateSummary' });
export const TemplatePageSchema = pageSchema(TemplateSummarySchema, 'TemplatePage');

/** One finding of the linter, with a pointer into the document. */
export const FindingSchema = z
  .strictObject({
    rule: z.string().meta({ description: 'a rule of docs/template-rules.md', examples: ['MF104'] }),
    severity: z.enum(['error', 'warning']),
    pointer: z.string().meta({ description: 'JSON Pointer into the document' }),
    detail: z.string(),
  })
  .meta({ id: 'TemplateFinding' });

/**
 * A template with the version in force (null for a draft or a retired template). The answer to a publication also has
 * its warnings.
 */
export const TemplateViewSchema = z
  .strictObject({
    ...templateShape,
    inForce: VersionViewSchema.nullable(),
    warnings: z
      .array(FindingSchema)
      .optional()
      .meta({ description: 'findings of the linter and the targets, only in the answer that publishes' }),
  })
  .meta({ id: 'Template' });

/** View of a draft. */
export const DraftViewSchema = z
  .strictObject({
    name: NameSchema,
    labels: LabelsSchema,
    spec: z.record(z.string(), z.json()),
    author: z.string(),
    editors: z.array(z.string()),
    revision: z.int(),
  })
  .meta({ id: 'TemplateDraft' });

/** Query of `GET /templates/:name/diff`: two versions, or a version and the draft. */
export const DiffQuerySchema = z.strictObject({
  from: VersionNumberSchema.meta({ description: 'a version number' }),
  to: z.union([z.literal('draft'), VersionNumberSchema]).meta({ description: 'a version number, or `draft`' }),
});
export type DiffQuery = z.infer<typeof DiffQuerySchema>;

/** Answer of `GET /templates/:name/diff`. */
export const DiffViewSchema = z
  .strictObject({
    from: z.int(),
    to: z.union([z.int(), z.literal('draft')]),
    differences: z.array(
      z.strictObject({ pointer: z.string(), before: z.json().optional(), after: z.json().optional() }),
    ),
  })
  .meta({ id: 'TemplateDiff' });

/** Answer of `POST /templates/lint`. */
export const FindingsSchema = z.strictObject({ findings: z.array(FindingSchema) }).meta({ id: 'TemplateFindings' });

/** Returns findings with pointers into the document, whose spec is at `/spec`. */
export function findingsView(findings: readonly Finding[]): JsonObject[] {
  return findings.map((found) => ({ ...found, pointer: `/spec${found.pointer}` }));
}

/** Returns a published version. */
export function versionView({ publishedAt, spec, ...version }: PublishedVersion): JsonObject {
  return { ...version, spec: spec, publishedAt: publishedAt.toISOString() };
}

/** Returns a template without the content of its draft and versions. */
export function templateView({ draft, createdAt, updatedAt, currentVersion, ...template }: TemplateRecord): JsonObject {
  return {
    ...template,
    currentVersion: currentVersion ?? null,
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
    draft: draft === undefined ? null : { author: draft.author, editors: [...draft.editors] },
  };
}

/** Returns a template with the version that requests get. */
function standingView({ template, inForce }: StandingTemplate): JsonObject {
  return { ...templateView(template), inForce: inForce === undefined ? null : versionView(inForce) };
}

/** A template to answer with. Only the answer to a publication has `warnings`, those of the linter. */
export type ShownTemplate = StandingTemplate & { readonly warnings?: readonly Finding[] };

/** The form of an answer with a template. */
export const TEMPLATE_FORM = {
  name: ({ template }: ShownTemplate) => template.name,
  revision: ({ template }: ShownTemplate) => template.revision,
  view: ({ warnings, ...standing }: ShownTemplate): JsonObject => ({
    ...standingView(standing),
    ...(warnings === undefined ? {} : { warnings: findingsView(warnings) }),
  }),
};

/** The draft of a template, at a revision of the template. */
export interface ShownDraft {
  readonly name: string;
  readonly draft: EditedDraft;
  readonly revision: number;
}

/** The form of an answer with a draft. */
export const DRAFT_FORM = {
  revision: ({ revision }: ShownDraft) => revision,
  view: ({ name, draft: { labels, spec, author, editors }, revision }: ShownDraft): JsonObject => ({
    ...{ name, labels, spec, author, editors: [...editors], revision },
  }),
};
