import { DocumentSchema, type DeclarationKind } from '@mayfly/declarations';
import { LabelsSchema, NameSchema, type JsonObject } from '@mayfly/kernel';
import type { DeclaredRecord } from '@mayfly/persistence';
import { ApiBody } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { pageSchema } from '../http/page.js';
import { sendEtag } from '../http/preconditions.js';

const recordShape = {
  name: NameSchema,
  labels: LabelsSchema,
  spec: z.record(z.string(), z.json()),
  revision: z.int().meta({ description: 'counts changes; the `ETag` says the same' }),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
  updatedBy: z.string().meta({ description: 'who declared it last: issuer and subject' }),
};

/** A declared issuer or connection, as it is answered. */
export const RecordViewSchema = z
  .strictObject({
    kind: z.enum(['Issuer', 'Connection']),
    ...recordShape,
    state: z
      .enum(['enabled', 'disabled'])
      .optional()
      .meta({ description: 'of connections: whether anything new is minted through it' }),
    contradiction: z
      .string()
      .optional()
      .meta({ description: 'of an issuer that is out of force: which document it contradicts, and in which member' }),
  })
  .meta({ id: 'DeclaredRecord' });
export const RecordPageSchema = pageSchema(RecordViewSchema, 'DeclaredRecordPage');

/** An agent, as it is answered. */
export const AgentViewSchema = z
  .strictObject({
    kind: z.literal('Agent'),
    id: z.string(),
    state: z.enum(['registered', 'active', 'suspended', 'retired']),
    ...recordShape,
  })
  .meta({ id: 'Agent' });
export const AgentPageSchema = pageSchema(AgentViewSchema, 'AgentPage');

export function declaredView({ agent, connection, createdAt, updatedAt, spec, ...record }: DeclaredRecord): JsonObject {
  return {
    ...record,
    ...agent,
    ...connection,
    spec,
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}

/** The view of a record, with its entity tag. */
export function sendDeclared(reply: FastifyReply, record: DeclaredRecord): JsonObject {
  sendEtag(reply, record.revision);
  return declaredView(record);
}

/** Documents a body that is a document of this kind. Reading it is left to `parseDocument`, which helps more. */
export function ApiDocument(kind: DeclarationKind) {
  const document = DocumentSchema.options.find(({ shape }) => shape.kind.value === kind) ?? DocumentSchema;
  const schema: unknown = z.toJSONSchema(document, { io: 'input', unrepresentable: 'any' });
  return ApiBody({ required: true, schema: schema as BodySchema });
}

type BodySchema = Extract<Parameters<typeof ApiBody>[0], { schema: unknown }>['schema'];
