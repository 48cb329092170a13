import { CONTROL_NAMES, isId } from '@mayfly/kernel';
import { z } from 'zod';

/** Body of `POST /tasks`. */
export const CreateTaskSchema = z
  .strictObject({
    template: z
      .string()
      .min(1)
      .max(63)
      .meta({ description: 'name of a published task template', examples: ['support-read-cases'] }),
    parameters: z
      .record(z.string().max(64), z.json())
      .default({})
      .meta({ examples: [{ region: 'emea' }] }),
    purpose: z
      .string()
      .min(1)
      .max(500)
      .meta({ description: 'why, in the words of the agent; it never widens anything' }),
    ttlSeconds: z
      .int()
      .min(1)
      .max(43_200)
      .optional()
      .meta({ description: 'lifetime asked for; the grant may be shorter' }),
  })
  .meta({ id: 'CreateTask' });
export type CreateTask = z.infer<typeof CreateTaskSchema>;

export const CreateTaskQuerySchema = z.strictObject({
  dryRun: z.enum(['true', 'false']).optional().meta({ description: 'answer what would happen, and mint nothing' }),
});
export type CreateTaskQuery = z.infer<typeof CreateTaskQuerySchema>;

export const TaskIdSchema = z.string().refine((text) => isId('tsk', text), 'use the id of a task, `tsk_…`');

/** Body of `POST /tasks/:id/fail`. */
export const FailTaskSchema = z.strictObject({ reason: z.string().min(1).max(500) }).meta({ id: 'FailTask' });
export type FailTask = z.infer<typeof FailTaskSchema>;

/** Body of `POST /tasks/:id/renew`. */
export const RenewTaskSchema = z
  .strictObject({ ttlSeconds: z.int().min(1).max(43_200).optional() })
  .meta({ id: 'RenewTask' });
export type RenewTask = z.infer<typeof RenewTaskSchema>;

const Instant = z.iso.datetime();

const LeaseViewSchema = z.strictObject({
  leaseId: z.string(),
  name: z.string(),
  provider: z.string(),
  connection: z.string().optional(),
  state: z.enum(['minting', 'active', 'revoking', 'revoked', 'expired', 'failed', 'abandoned']),
  revocation: z.enum(['immediate', 'propagating', 'expiry-only']),
  revocationNote: z.string().optional().meta({ description: 'what `revocation` leaves open' }),
  expiresAt: Instant,
  providerExpiresAt: Instant.optional(),
  endCause: z.string().optional(),
  revokeRequestedAt: Instant.optional(),
  revokeEffectiveAt: Instant.optional().meta({ description: 'from when on the target refuses the credential' }),
  endedAt: Instant.optional(),
  lastError: z.string().optional(),
  renewRequestedAt: Instant.optional().meta({
    description: 'the target stopped taking it; renew the task for a new one',
  }),
  facts: z
    .record(z.string(), z.json())
    .optional()
    .meta({ description: 'what the target told, in the answer that grants' }),
});

/** A task without secrets: what `GET /tasks/:id` and the other routes of a task answer. */
export const TaskViewSchema = z
  .strictObject({
    id: z.string(),
    state: z.enum(['active', 'completed', 'expired', 'revoked', 'failed']),
    template: z.strictObject({ name: z.string(), version: z.int() }),
    agent: z.strictObject({ id: z.string(), name: z.string() }),
    runtime: z.string(),
    parameters: z.record(z.string(), z.json()),
    purpose: z.string(),
    createdAt: Instant,
    expiresAt: Instant,
    maxExpiresAt: Instant,
    heartbeatAt: Instant.optional(),
    heartbeatTimeoutSeconds: z.int().optional().meta({
      description: 'the template has a heartbeat: the task is revoked when no sign of life comes for so long',
    }),
    endCause: z.string().optional(),
    endReason: z.string().optional(),
    endedAt: Instant.optional(),
    lifetime: z
      .strictObject({
        requestedSeconds: z.int().nullable(),
        grantedSeconds: z.int().meta({
          description:
            'from the decision to the deadline; a renewal never moves the deadline back, so that it is what is left where less was asked for',
        }),
        limitedBy: z.string().meta({
          description:
            'what made it no longer: `request`, `template`, `identity`, `provider …`, or `maximum` where the deadline of a renewed task is as far as it can ever be (`maxExpiresAt`, or the longest life that the template allows now)',
        }),
      })
      .optional()
      .meta({ description: 'in the answer that grants or renews' }),
    credentials: z.array(
      LeaseViewSchema.extend({ secret: z.record(z.string(), z.json()).optional().meta({ description: 'shown once' }) }),
    ),
  })
  .meta({ id: 'Task' });

const VerdictSchema = z.strictObject({
  control: z.enum(CONTROL_NAMES).meta({ description: 'docs/controls.md has the list' }),
  outcome: z.enum(['permit', 'deny', 'not_evaluated']),
  detail: z.string().optional(),
  help: z.string().optional(),
  evidence: z.record(z.string(), z.json()).optional().meta({ description: 'what the verdict stands on' }),
});

/** What a dry run answers. */
export const DryRunSchema = z
  .strictObject({
    dryRun: z.literal(true),
    wouldGrant: z.boolean(),
    template: z.strictObject({ name: z.string(), version: z.int() }).optional(),
    lifetimeSeconds: z.int().optional(),
    limitedBy: z.string().optional(),
    controls: z.array(VerdictSchema),
    credentials: z.array(z.strictObject({ name: z.string(), provider: z.string(), scope: z.json() })).optional(),
  })
  .meta({ id: 'DryRun' });
