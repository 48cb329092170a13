import { CONTROL_NAMES, isId } from '@mayfly/kernel';
import { z } from 'zod';

/** The largest lengths (characters) and the longest lifetime (seconds) in the body of `POST /tasks`. */
export const CREATE_TASK_LIMITS = { template: 63, parameterName: 64, purpose: 500, ttlSeconds: 43_200 } as const;

/** Body of `POST /tasks`. */
export const CreateTaskSchema = z
  .strictObject({
    template: z
      .string()
      .min(1)
      .max(CREATE_TASK_LIMITS.template)
      .meta({ description: 'name of a published task template', examples: ['support-read-cases'] }),
    parameters: z
      .record(z.string().max(CREATE_TASK_LIMITS.parameterName), z.json())
      .default({})
      .meta({ examples: [{ region: 'emea' }] }),
    purpose: z
      .string()
      .min(1)
      .max(CREATE_TASK_LIMITS.purpose)
      .meta({ description: 'why the agent needs the task, in its own words; it never widens the grant' }),
    ttlSeconds: z
      .int()
      .min(1)
      .max(CREATE_TASK_LIMITS.ttlSeconds)
      .optional()
      .meta({ description: 'requested lifetime; the granted one may be shorter' }),
  })
  .meta({ id: 'CreateTask' });
export type CreateTask = z.infer<typeof CreateTaskSchema>;

/** Query of `POST /tasks`. */
export const CreateTaskQuerySchema = z.strictObject({
  dryRun: z.enum(['true', 'false']).optional().meta({ description: 'decide and answer, but mint nothing' }),
});
export type CreateTaskQuery = z.infer<typeof CreateTaskQuerySchema>;

/** The id of a task in a path. */
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
  revocationNote: z.string().optional().meta({ description: 'the gap that `revocation` leaves' }),
  expiresAt: Instant,
  providerExpiresAt: Instant.optional(),
  endCause: z.string().optional(),
  revokeRequestedAt: Instant.optional(),
  revokeEffectiveAt: Instant.optional().meta({
    description: 'the instant from which the target refuses the credential',
  }),
  endedAt: Instant.optional(),
  confirmedDeadAt: Instant.optional().meta({
    description: 'the instant at which the target refused the credential when Mayfly used it (`probe` of the template)',
  }),
  lastError: z.string().optional(),
  renewRequestedAt: Instant.optional().meta({
    description: 'the target no longer accepts the credential; renew the task to replace it',
  }),
  facts: z
    .record(z.string(), z.json())
    .optional()
    .meta({ description: 'facts from the target, only in the answer that grants' }),
});

/** View of a task, the answer of all task routes. Only the answers that grant or renew have secrets. */
export const TaskViewSchema = z
  .strictObject({
    id: z.string(),
    decisionId: z.string().optional().meta({ description: 'the decision that granted it: `GET /decisions/:id`' }),
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
      description: 'the template requires a heartbeat: the task is revoked after this time without one',
    }),
    endCause: z.string().optional(),
    parentId: z.string().optional().meta({ description: 'of a task that was handed on' }),
    rootId: z.string().optional(),
    lockdown: z.string().optional().meta({ description: 'the lockdown in force that covers the task' }),
    endReason: z.string().optional(),
    endedAt: Instant.optional(),
    lifetime: z
      .strictObject({
        requestedSeconds: z.int().nullable(),
        grantedSeconds: z.int().meta({
          description:
            'from the decision to the deadline; a renewal never moves the deadline back, so this is the remaining time when less was requested',
        }),
        limitedBy: z.string().meta({
          description:
            'the limit of the lifetime: `request`, `template`, `identity`, `provider …`, or `maximum` when a renewed task has its last possible deadline (`maxExpiresAt`, or the longest life that the template allows now)',
        }),
      })
      .optional()
      .meta({ description: 'only in the answer that grants or renews' }),
    taskToken: z
      .strictObject({
        value: z.string(),
        expiresAt: Instant.meta({ description: 'a renewal of the task moves it too' }),
      })
      .optional()
      .meta({
        description:
          'only in the answer that grants: it names the task to an enforcement point, which asks `POST /authorize`; good for nothing else, and dead with the task',
      }),
    credentials: z.array(
      LeaseViewSchema.extend({ secret: z.record(z.string(), z.json()).optional().meta({ description: 'shown once' }) }),
    ),
  })
  .meta({ id: 'Task' });

/** The verdict of one control. */
export const VerdictSchema = z.strictObject({
  control: z.enum(CONTROL_NAMES).meta({ description: 'one of the controls in docs/controls.md' }),
  outcome: z.enum(['permit', 'deny', 'not_evaluated']),
  detail: z.string().optional(),
  help: z.string().optional(),
  evidence: z.record(z.string(), z.json()).optional().meta({ description: 'the facts behind the verdict' }),
});

/** Answer of a dry run. */
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
