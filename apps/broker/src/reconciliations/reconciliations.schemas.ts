import { PageQuerySchema, pageSchema } from '@mayfly/http';
import { isId, NameSchema } from '@mayfly/kernel';
import { ACTIONS, DIFFERENCE_KINDS } from '@mayfly/revocation';
import { z } from 'zod';

const Instant = z.iso.datetime();

/** Body of `POST /reconciliations`. */
export const RequestReconciliationSchema = z
  .strictObject({
    connection: NameSchema.meta({ description: 'the connection to compare with the leases', examples: ['crm'] }),
  })
  .meta({ id: 'RequestReconciliation' });
export type RequestReconciliation = z.infer<typeof RequestReconciliationSchema>;

/** Query of `GET /reconciliations`. */
export const ReconciliationsQuerySchema = PageQuerySchema.extend({
  connection: NameSchema.optional().meta({ description: 'name of a connection' }),
});
export type ReconciliationsQuery = z.infer<typeof ReconciliationsQuerySchema>;

/** The id of a reconciliation in a path. */
export const ReconciliationIdSchema = z
  .string()
  .refine((text) => isId('rcn', text), 'use the id of a reconciliation, `rcn_…`');

const DifferenceSchema = z
  .strictObject({
    kind: z.enum(DIFFERENCE_KINDS).meta({
      description:
        '`unknown_lease`, `ended_lease`: an object with the mark of this installation and no living lease; `unmarked`, `other_mark`: an object of no living lease without this mark; `orphan`: only another connection shows the object; `missing`: an active lease without its object; `unknown_denial`: a deny policy denies a session that no ended lease explains; `missing_denial`: a deny policy did not deny a session that has to be denied; `not_compared`: a part of the comparison was not possible',
    }),
    action: z.enum(ACTIONS).meta({
      description:
        '`ended`: its end is proven; `not_ended`: the next reconciliation tries again; `repaired`: the denial was written again; `reported`: unchanged',
    }),
    object: z.string().optional().meta({ description: 'name of the object at the target' }),
    leaseId: z.string().optional(),
    detail: z.string().optional().meta({ description: 'what it means, or what somebody can do' }),
  })
  .meta({ id: 'ReconciliationDifference' });

/** Answer of `POST /reconciliations` and `GET /reconciliations/:id`. */
export const ReconciliationSchema = z
  .strictObject({
    id: z.string(),
    connection: z.string(),
    state: z.enum(['running', 'done', 'failed']),
    actor: z.looseObject({ kind: z.enum(['agent', 'person', 'workload', 'mayfly']) }).meta({
      description: 'who asked for it; `mayfly` for a scheduled comparison that found something new',
    }),
    requestedAt: Instant,
    startedAt: Instant.optional(),
    finishedAt: Instant.optional(),
    differences: z.array(DifferenceSchema),
    leftOut: z.int().meta({ description: 'the number of differences that `differences` leaves out' }),
    error: z.string().optional().meta({ description: 'why it failed' }),
  })
  .meta({ id: 'Reconciliation' });
export const ReconciliationsSchema = pageSchema(ReconciliationSchema, 'Reconciliations');
