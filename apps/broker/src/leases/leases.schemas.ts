import { PageQuerySchema, pageSchema } from '@mayfly/http';
import { isId } from '@mayfly/kernel';
import { z } from 'zod';
import { IssuanceSchema } from '../history/history.schemas.js';

const NameFilter = z.string().min(1).max(63).optional();
const Instant = z.iso.datetime();

/** Query of `GET /leases`. */
export const LeasesQuerySchema = PageQuerySchema.extend({
  overdue: z.literal('true', { error: 'use `overdue=true`; `GET /issuances` lists all leases' }).meta({
    description: 'required: the list has only leases that should be dead and are not proven dead',
  }),
  abandoned: z
    .literal('true', { error: 'use `abandoned=true`, or leave it out' })
    .optional()
    .meta({ description: 'lists the leases that an operator abandoned, in place of those that Mayfly still tries' }),
  agent: NameFilter.meta({ description: 'name of an agent', examples: ['support-agent'] }),
  template: NameFilter.meta({ description: 'name of a task template' }),
  provider: NameFilter.meta({ description: 'kind of provider' }),
  connection: NameFilter.meta({ description: 'name of a connection' }),
});
export type LeasesQuery = z.infer<typeof LeasesQuerySchema>;

/** The id of a lease in a path. */
export const LeaseIdSchema = z.string().refine((text) => isId('lse', text), 'use the id of a lease, `lse_…`');

/** Body of `POST /leases/:id/abandon`. */
export const AbandonLeaseSchema = z
  .strictObject({
    reason: z
      .string()
      .max(500)
      .refine((text) => text.trim() !== '', 'state why nobody can revoke the credential')
      .meta({
        description: 'why nobody can revoke the credential; the audit keeps it',
        examples: ['the server is gone'],
      }),
  })
  .meta({ id: 'AbandonLease' });
export type AbandonLease = z.infer<typeof AbandonLeaseSchema>;

/** Answer of `POST /leases/:id/abandon`. */
export const AbandonedLeaseSchema = z
  .strictObject({
    leaseId: z.string(),
    taskId: z.string(),
    state: z.literal('abandoned'),
    reason: z.string().meta({ description: 'the reason as it is recorded: without what looks like a secret' }),
    abandonedAt: Instant,
    expiresAt: Instant.meta({ description: 'the granted deadline: the credential may work until then' }),
  })
  .meta({ id: 'AbandonedLease' });

const OverdueLeaseSchema = IssuanceSchema.extend({
  revocation: z.enum(['immediate', 'propagating', 'expiry-only']),
  attempts: z.int().meta({ description: 'number of tries to revoke the credential' }),
  lastError: z.string().optional().meta({ description: 'why the last try ended without proof' }),
  nextTryAt: Instant.optional().meta({
    description: 'the instant from which a worker tries again; absent when nobody does',
  }),
  overdueSince: Instant.meta({
    description: 'the instant at which the end was requested or the deadline passed, whichever was first',
  }),
  help: z.string().meta({ description: 'what somebody can do' }),
}).meta({ id: 'OverdueLease' });
export const OverdueLeasesSchema = pageSchema(OverdueLeaseSchema, 'OverdueLeases');
