import { PageQuerySchema, pageSchema } from '@mayfly/http';
import { isId } from '@mayfly/kernel';
import { LOCKDOWN_KINDS, type LockdownScope } from '@mayfly/tasks';
import { z } from 'zod';

const Instant = z.iso.datetime();
const Reason = z
  .string()
  .max(500)
  .refine((text) => text.trim() !== '', 'state a reason')
  .meta({ description: 'the audit keeps it', examples: ['a token of the agent was seen in a public log'] });

const ScopeSchema = z
  .strictObject({
    kind: z.enum(LOCKDOWN_KINDS).meta({ description: 'what the lockdown covers' }),
    name: z
      .string()
      .min(1)
      .max(63)
      .optional()
      .meta({ description: 'the name, or the id of a task; left out for `all`', examples: ['support-agent'] }),
  })
  .refine(({ kind, name }) => (kind === 'all') === (name === undefined), {
    path: ['name'],
    error: 'state the name, except for the kind `all`, which has none',
  })
  .meta({ id: 'LockdownScope' });

/** The scope that a body names. */
export function scopeOf({ kind, name }: z.infer<typeof ScopeSchema>): LockdownScope {
  return { kind, name: name ?? '' };
}

/** Body of `POST /lockdowns`. */
export const EngageSchema = z.strictObject({ scope: ScopeSchema, reason: Reason }).meta({ id: 'EngageLockdown' });
export type Engage = z.infer<typeof EngageSchema>;

/** Query of `POST /lockdowns`. */
export const EngageQuerySchema = z.strictObject({
  dryRun: z
    .enum(['true', 'false'])
    .default('false')
    .meta({ description: '`true` counts what the lockdown would end, and engages nothing' }),
});
export type EngageQuery = z.infer<typeof EngageQuerySchema>;

/** Body of `POST /lockdowns/:id/release`. */
export const ReleaseSchema = z.strictObject({ reason: Reason }).meta({ id: 'ReleaseLockdown' });
export type Release = z.infer<typeof ReleaseSchema>;

/** The id of a lockdown in a path. */
export const LockdownIdSchema = z.string().refine((text) => isId('lkd', text), 'use the id of a lockdown, `lkd_…`');

/** Query of `GET /lockdowns`. */
export const LockdownsQuerySchema = PageQuerySchema.extend({
  inForce: z.enum(['true', 'false']).default('false').meta({ description: '`true` leaves out released lockdowns' }),
});
export type LockdownsQuery = z.infer<typeof LockdownsQuerySchema>;

const PersonSchema = z.looseObject({ kind: z.string(), issuer: z.string().optional(), subject: z.string().optional() });
const count = (description: string) => z.int().meta({ description });

const ProgressSchema = z.strictObject({
  matched: count('number of leases under the lockdown: `revoked` + `revoking` + `abandoned`'),
  revoked: count('leases that are proven dead'),
  revoking: count('leases that are not proven dead; a worker tries without limit'),
  abandoned: count('leases that an operator gave up: they are never proven dead'),
  oldestSeconds: z
    .int()
    .nullable()
    .meta({ description: 'age of the oldest revocation that is not proven; null when there is none' }),
});

/** A lockdown. */
export const LockdownSchema = z
  .strictObject({
    id: z.string(),
    scope: ScopeSchema,
    state: z.enum(['engaging', 'engaged', 'release_requested', 'released']).meta({
      description:
        'a lockdown denies in every state but `released`; while it is `engaging`, the ends of its tasks are being recorded',
    }),
    reason: z.string(),
    engagedAt: Instant,
    engagedBy: PersonSchema,
    releaseRequested: z
      .strictObject({
        ...{ at: Instant, by: PersonSchema, reason: z.string() },
        lapsesAt: Instant.meta({ description: 'from then on the request counts no longer; ask again' }),
      })
      .optional(),
    releasedAt: Instant.optional(),
    releasedBy: PersonSchema.optional(),
    progress: ProgressSchema,
  })
  .meta({ id: 'Lockdown' });
export const LockdownsSchema = pageSchema(LockdownSchema, 'Lockdowns');

const ReachSchema = z
  .strictObject({
    dryRun: z.literal(true),
    scope: ScopeSchema,
    tasks: count('tasks that run and would end'),
    matched: count('their leases'),
    connections: z
      .array(z.strictObject({ name: z.string(), leases: z.int() }))
      .meta({ description: 'leases at each connection, the most first; at most 20 connections' }),
  })
  .meta({ id: 'LockdownReach' });

/** Answer 200 of `POST /lockdowns`: of a dry run, or the lockdown of the same scope that is in force. */
export const NotEngagedSchema = z.union([ReachSchema, LockdownSchema]).meta({ id: 'LockdownNotEngaged' });
