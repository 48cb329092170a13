import { CHANGE_OPERATIONS, CHANGE_STATES, REQUESTED_KINDS } from '@mayfly/declarations';
import { PageQuerySchema, pageSchema } from '@mayfly/http';
import { type ChangeId, isId, LabelsSchema, NameSchema } from '@mayfly/kernel';
import { ApiAcceptedResponse } from '@nestjs/swagger';
import { z } from 'zod';

const Instant = z.iso.datetime();
const KindSchema = z.enum(Object.keys(REQUESTED_KINDS) as [keyof typeof REQUESTED_KINDS]);
const PersonSchema = z.looseObject({ kind: z.string(), issuer: z.string().optional(), subject: z.string().optional() });

/** The reason of a decision. */
const Reason = z
  .string()
  .max(500)
  .refine((text) => text.trim() !== '', 'state a reason')
  .meta({ description: 'the audit keeps it', examples: ['checked with the team of the warehouse'] });

/** The id in the address of a change. */
export const ChangeIdSchema = z
  .string()
  .refine((text): text is ChangeId => isId('chg', text), 'use the id of a change');

/** Query of `GET /changes`. */
export const ChangesQuerySchema = PageQuerySchema.extend({
  state: z.enum(CHANGE_STATES).optional().meta({ description: '`open` changes wait for a second person' }),
  kind: KindSchema.optional(),
  name: NameSchema.optional().meta({ description: 'the name of the document' }),
});
export type ChangesQuery = z.infer<typeof ChangesQuerySchema>;

/** Body of `POST /changes/:id/approve`. */
export const ApproveSchema = z.strictObject({ reason: Reason.optional() }).meta({ id: 'ApproveChange' });
export type Approve = z.infer<typeof ApproveSchema>;

/** Body of `POST /changes/:id/refuse`. */
export const RefuseSchema = z.strictObject({ reason: Reason }).meta({ id: 'RefuseChange' });
export type Refuse = z.infer<typeof RefuseSchema>;

const changeShape = {
  id: z.string(),
  kind: KindSchema,
  name: NameSchema,
  operation: z.enum(CHANGE_OPERATIONS).meta({
    description: '`put` writes a document, `activate` lifts a suspension, `enable` enables a connection again',
  }),
  state: z.enum(CHANGE_STATES).meta({
    description:
      '`superseded`: the document moved on, or the author sent another change or took this one back; `lapsed`: nobody decided in time',
  }),
  author: PersonSchema,
  requestedAt: Instant,
  lapsesAt: Instant,
  baseRevision: z
    .int()
    .nullable()
    .meta({ description: 'the revision that the change was written against; null for a new document' }),
  closedAt: Instant.optional(),
  closedBy: PersonSchema.optional(),
  reason: z.string().optional(),
  supersededBy: z.string().optional().meta({ description: 'the change that replaced this one' }),
};

/** A change of a document that a second person decides on. */
const ChangeSchema = z.strictObject(changeShape).meta({ id: 'Change' });
export const ChangesSchema = pageSchema(ChangeSchema, 'Changes');

const ContentSchema = z.strictObject({ labels: LabelsSchema, spec: z.record(z.string(), z.json()) });

/** A change with the contents before and after. */
export const ChangeDetailSchema = z
  .strictObject({
    ...changeShape,
    stale: z.boolean().meta({ description: 'true: the document has moved on, so an approval will be refused' }),
    before: z
      .strictObject({ ...ContentSchema.shape, revision: z.int() })
      .nullable()
      .meta({ description: 'the document in force, and for a closed change the one that it was written against' }),
    asked: ContentSchema.nullable().meta({ description: 'the content to write; null for a step' }),
    differences: z.array(
      z.strictObject({ pointer: z.string(), before: z.json().optional(), after: z.json().optional() }),
    ),
  })
  .meta({ id: 'ChangeDetail' });

/** Answer 202 of a route that changes a document where two persons must agree. */
const ChangeRequestedSchema = z.strictObject({ change: ChangeSchema }).meta({ id: 'ChangeRequested' });

/** Adds the answer 202 to the OpenAPI document. */
export function ApiChangeRequested() {
  return ApiAcceptedResponse({
    standardSchema: ChangeRequestedSchema,
    description: 'in production: the change waits for a second person, and nothing is changed yet',
  });
}
