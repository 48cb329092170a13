import { PageQuerySchema, pageSchema } from '@mayfly/http';
import { IDENTITY_REFUSAL_REASONS } from '@mayfly/identity';
import { type TaskEndCause, TERMINAL_STATE } from '@mayfly/tasks';
import { z } from 'zod';
import { TaskIdSchema } from '../tasks/task.schemas.js';

const NameFilter = z.string().min(1).max(63).optional();
const Instant = z.iso.datetime();

/** An RFC 3339 instant since 1970. */
const InstantFilter = z.iso
  .datetime({ offset: true })
  .max(40)
  .refine((text) => Date.parse(text) >= 0, 'use an instant since 1970')
  .optional();
const from = InstantFilter.meta({ description: 'from this instant on, RFC 3339', examples: ['2026-11-22T00:00:00Z'] });
const to = InstantFilter.meta({ description: 'before this instant, RFC 3339' });
const CAUSES = Object.keys(TERMINAL_STATE) as [TaskEndCause];

const LeaseStateSchema = z.enum(['minting', 'active', 'revoking', 'revoked', 'expired', 'failed', 'abandoned']);

/** Query of `GET /issuances`. */
export const IssuancesQuerySchema = PageQuerySchema.extend({
  agent: NameFilter.meta({ description: 'name of an agent', examples: ['support-agent'] }),
  template: NameFilter.meta({ description: 'name of a task template' }),
  provider: NameFilter.meta({ description: 'kind of provider' }),
  state: LeaseStateSchema.optional(),
  cause: z.enum(CAUSES).optional().meta({ description: 'why the lease ended' }),
  taskId: TaskIdSchema.optional(),
  seenAs: z
    .string()
    .min(1)
    .max(512)
    .optional()
    .meta({
      description:
        'name of the credential in the log of its target: a database role `mayfly_…`, the name or ARN of an AWS session, the `lease` of a Vault token, the `jti` of a signed token',
      examples: ['mayfly_01m8nzgbshf9ft1bgg1h57h1hz'],
    }),
  from,
  to,
});
export type IssuancesQuery = z.infer<typeof IssuancesQuerySchema>;

/** Query of `GET /tasks/:id/timeline`. The default limit fits all entries of most tasks. */
export const TimelineQuerySchema = PageQuerySchema.extend({
  limit: z.coerce.number().int().min(1).max(200).default(200),
});
export type TimelineQuery = z.infer<typeof TimelineQuerySchema>;

/** Query of `GET /audit/entries`. */
export const EntriesQuerySchema = PageQuerySchema.extend({
  type: z
    .string()
    .regex(/^[a-z-]{1,31}\.[a-z-]{1,31}$/, 'use a type such as `task.granted`')
    .optional()
    .meta({ examples: ['task.granted'] }),
  taskId: TaskIdSchema.optional(),
  agent: NameFilter,
  from,
  to,
});
export type EntriesQuery = z.infer<typeof EntriesQuerySchema>;

/** Query of `GET /refusals`. */
export const RefusalsQuerySchema = PageQuerySchema.extend({
  reason: z.enum(IDENTITY_REFUSAL_REASONS).optional(),
  issuer: z
    .string()
    .min(1)
    .max(300)
    .optional()
    .meta({ description: 'the `issuer` of an item', examples: ['development'] }),
  from,
  to,
});
export type RefusalsQuery = z.infer<typeof RefusalsQuerySchema>;

/** One lease of the history. */
export const IssuanceSchema = z
  .strictObject({
    leaseId: z.string(),
    taskId: z.string(),
    state: LeaseStateSchema,
    name: z.string().meta({ description: 'name of the credential in the template' }),
    provider: z.string(),
    connection: z.string().optional(),
    agent: z.string(),
    template: z.strictObject({ name: z.string(), version: z.int() }),
    runtime: z.string(),
    purpose: z.string(),
    scope: z.json().meta({ description: 'the rendered scope of the credential' }),
    createdAt: Instant,
    expiresAt: Instant.meta({ description: 'the granted deadline' }),
    providerExpiresAt: Instant.optional().meta({ description: 'the expiry that the provider enforces' }),
    revokeRequestedAt: Instant.optional(),
    revokeEffectiveAt: Instant.optional().meta({
      description: 'the instant from which the target refuses the credential',
    }),
    endedAt: Instant.optional(),
    confirmedDeadAt: Instant.optional().meta({
      description:
        'the instant at which the target refused the credential when Mayfly used it (`probe` of the template)',
    }),
    cause: z.string().optional(),
  })
  .meta({ id: 'Issuance' });
export const IssuancesSchema = pageSchema(IssuanceSchema, 'Issuances');

const RefusalSchema = z
  .strictObject({
    at: Instant,
    reason: z.string().meta({ description: 'one of the reasons in docs/problems.md', examples: ['audience'] }),
    issuer: z
      .string()
      .optional()
      .meta({ description: 'name of the Issuer document that the token selected, otherwise the `iss` claim' }),
    member: z
      .string()
      .optional()
      .meta({ description: '`malformed` only: the header member or claim with a wrong form' }),
    subject: z.string().optional(),
    kid: z.string().optional(),
    alg: z.string().optional(),
    typ: z.string().optional(),
    aud: z.union([z.string(), z.array(z.string())]).optional(),
    route: z.string().optional(),
    requestId: z.string().optional().meta({ description: '`instance` and `x-request-id` of the answer' }),
    count: z
      .int()
      .optional()
      .meta({ description: 'number of refusals of this kind between `from` and `to` that have no item' }),
    from: Instant.optional(),
    to: Instant.optional(),
  })
  .meta({ id: 'Refusal', description: 'members from the token are escaped and truncated' });
export const RefusalsSchema = pageSchema(RefusalSchema, 'Refusals');

const EntryBodySchema = z
  .looseObject({
    id: z.string(),
    at: Instant,
    type: z.string(),
    actor: z.looseObject({ kind: z.enum(['agent', 'person', 'workload', 'mayfly']) }),
    taskId: z.string().optional(),
    leaseId: z.string().optional(),
    agent: z.string().optional(),
  })
  .meta({
    id: 'AuditEntry',
    description:
      'one transition, one denial, or the `count` of denials without an entry; the other members are its facts',
  });

const LogSchema = z.int().meta({ description: 'the log that numbers the entry; 0 while there is one log' });

export const TimelineSchema = pageSchema(
  EntryBodySchema.extend({
    log: LogSchema,
    seq: z.int().optional().meta({ description: 'number of the entry in its log, once assigned' }),
  }).meta({
    id: 'TimelineEntry',
  }),
  'Timeline',
);

export const EntriesSchema = pageSchema(
  z
    .strictObject({
      log: LogSchema,
      seq: z.int().meta({ description: 'number of the entry in its log, without gaps' }),
      leafHash: z.string().meta({ description: 'base64url of SHA-256(0x00 ‖ canonical), RFC 6962 §2.1' }),
      body: EntryBodySchema,
      canonical: z.string().meta({ description: 'the body as canonical JSON (RFC 8785): the hashed bytes' }),
    })
    .meta({ id: 'SealedEntry' }),
  'SealedEntries',
);
