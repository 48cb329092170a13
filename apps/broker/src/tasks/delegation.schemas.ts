import { NameSchema } from '@mayfly/kernel';
import { UseLimitSchema } from '@mayfly/templates';
import { z } from 'zod';
import { CreateTaskSchema } from './task.schemas.js';

const Instant = z.iso.datetime();

/** Body of `POST /tasks/:id/delegate`. */
export const DelegateSchema = CreateTaskSchema.extend({
  agent: NameSchema.optional().meta({ description: 'the agent that takes it up; the same agent, if absent' }),
  uses: UseLimitSchema.optional().meta({
    description: 'the uses that the child has at most, with everything below it; they are taken from the parent too',
  }),
}).meta({ id: 'DelegateTask' });
export type Delegate = z.infer<typeof DelegateSchema>;

/** Answer of `POST /tasks/:id/delegate`. */
export const DelegationSchema = z
  .strictObject({
    id: z.string().meta({ description: 'the id of the task, once it is taken up' }),
    state: z.enum(['pending_acceptance', 'accepted']),
    parentId: z.string(),
    rootId: z.string(),
    depth: z.int(),
    agent: z.string(),
    template: z.string(),
    parameters: z.looseObject({}),
    purpose: z.string(),
    ttlSeconds: z.int().optional(),
    uses: z.union([z.int(), z.record(z.string(), z.int())]).optional(),
    acceptBy: Instant.meta({ description: 'the delegation lapses then, and earlier when its parent ends' }),
  })
  .meta({ id: 'Delegation' });

const NodeSchema = z.strictObject({
  id: z.string(),
  parentId: z.string().optional(),
  depth: z.int(),
  agent: z.string(),
  template: z.string(),
  state: z.string().meta({ description: 'of the task; `pending_acceptance` or `lapsed` for a delegation' }),
  endCause: z.string().optional(),
  expiresAt: Instant.optional(),
  acceptBy: Instant.optional(),
});

/** Answer of `GET /tasks/:id/tree`. */
export const TreeSchema = z
  .strictObject({
    rootId: z.string(),
    nodes: z.array(NodeSchema).meta({ description: 'parents before children' }),
    truncated: z.boolean().meta({ description: 'true when the tree has more than 1,000 nodes' }),
  })
  .meta({ id: 'TaskTree' });
