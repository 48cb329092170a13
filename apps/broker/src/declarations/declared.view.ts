import {
  changeView,
  type DeclarationKind,
  type DeclaredRecord,
  DocumentSchema,
  isRequested,
  type RequestedChange,
} from '@mayfly/declarations';
import { answerPage, type PageQuery, pageSchema } from '@mayfly/http';
import { type JsonObject, LabelsSchema, NameSchema, type Page, type PageRequest } from '@mayfly/kernel';
import { ApiBody } from '@nestjs/swagger';
import { z } from 'zod';

const recordShape = {
  name: NameSchema,
  labels: LabelsSchema,
  spec: z.record(z.string(), z.json()),
  revision: z.int().meta({ description: 'counts changes; also in the `ETag`' }),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
  updatedBy: z.string().meta({ description: 'issuer and subject of the last change' }),
};

/** View of a declared issuer, connection or policy. */
export const RecordViewSchema = z
  .strictObject({
    kind: z.enum(['Issuer', 'Connection', 'Policy']),
    ...recordShape,
    state: z
      .enum(['enabled', 'disabled'])
      .optional()
      .meta({ description: 'connections only: a disabled one mints and renews nothing' }),
    contradiction: z
      .string()
      .optional()
      .meta({ description: 'issuers out of force only: the document that it contradicts, and the member' }),
  })
  .meta({ id: 'DeclaredRecord' });
export const RecordPageSchema = pageSchema(RecordViewSchema, 'DeclaredRecordPage');

/** View of an agent. */
export const AgentViewSchema = z
  .strictObject({
    kind: z.literal('Agent'),
    id: z.string(),
    state: z.enum(['registered', 'active', 'suspended', 'retired']),
    ...recordShape,
  })
  .meta({ id: 'Agent' });
export const AgentPageSchema = pageSchema(AgentViewSchema, 'AgentPage');

function declaredView({ agent, connection, createdAt, updatedAt, spec, ...record }: DeclaredRecord): JsonObject {
  return {
    ...record,
    ...agent,
    ...connection,
    spec,
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}

/**
 * A record to answer with. `contradiction` says why an issuer is out of force; it is undefined for any other record.
 */
export type ShownRecord = DeclaredRecord & { readonly contradiction?: string | undefined };

/** The answer to a change of a record: the record, or the change that waits for a second person. */
export type AnsweredRecord = ShownRecord | RequestedChange;

/** The form of an answer with a record, or with the change of it that waits. */
export const RECORD_FORM = {
  name: (shown: AnsweredRecord) => (isRequested(shown) ? shown.change.name : shown.name),
  revision: (shown: AnsweredRecord) => (isRequested(shown) ? undefined : shown.revision),
  waiting: (shown: AnsweredRecord) => (isRequested(shown) ? `/changes/${shown.change.id}` : undefined),
  view: (shown: AnsweredRecord): JsonObject => {
    if (isRequested(shown)) return { change: changeView(shown.change, shown.change.requestedAt) };
    const { contradiction, ...record } = shown;
    return { ...declaredView(record), contradiction };
  },
};

/** Answers with a page of records, by name. Throws `invalid_request` for a cursor of another list. */
export function declaredPage(
  query: PageQuery,
  read: (page: PageRequest<string>) => Promise<Page<DeclaredRecord, string>>,
): Promise<JsonObject> {
  return answerPage(query, { position: z.string(), view: declaredView }, read);
}

/** Adds the body schema of this kind to the OpenAPI document. `parseDocument` validates it, with better errors. */
export function ApiDocument(kind: DeclarationKind) {
  const document = DocumentSchema.options.find(({ shape }) => shape.kind.value === kind) ?? DocumentSchema;
  const schema: unknown = z.toJSONSchema(document, { io: 'input', unrepresentable: 'any' });
  return ApiBody({ required: true, schema: schema as BodySchema });
}

type BodySchema = Extract<Parameters<typeof ApiBody>[0], { schema: unknown }>['schema'];
