import { NameSchema, LabelsSchema } from '@mayfly/kernel';
import { z } from 'zod';

const JsonObjectSchema = z.record(z.string(), z.json());
const between = (least: number, most: number) => z.int().min(least).max(most);

/** Approvers read this text, so it must not contain invisible characters or characters that reverse text. */
const DescriptionSchema = z
  .string()
  .min(1)
  .max(500)
  .refine((text) => !/[^\P{C}\n]/u.test(text), 'use printable characters');

const ReviewSchema = z.strictObject({ by: NameSchema, everyDays: between(1, 365) });

/** The agents that may request a task: they carry every label and are proven to run in one of the runtimes. */
const RequestersSchema = z.strictObject({
  agents: LabelsSchema.refine((labels) => Object.keys(labels).length > 0, 'name at least one label'),
  runtimes: z.array(NameSchema).min(1).max(32),
});

const LifetimeSchema = z
  .strictObject({ defaultSeconds: between(1, 43_200), maxSeconds: between(1, 43_200) })
  .refine((lifetime) => lifetime.defaultSeconds <= lifetime.maxSeconds, {
    path: ['defaultSeconds'],
    error: 'use at most `maxSeconds`',
  });

/** The largest limits. A sum of a limit and one more use stays a safe integer. */
const MOST_USES = 1_000_000_000_000;
const MOST_BYTES = 2 ** 50;

/** Limits of one task with everything below it, by unit; `spend` is in the smallest unit that the author counts in. */
const UsesSchema = z
  .strictObject({
    calls: between(0, MOST_USES),
    queries: between(0, MOST_USES),
    rows: between(0, MOST_USES),
    bytes: between(0, MOST_BYTES),
    spend: between(0, MOST_USES),
  })
  .partial()
  .refine((limits) => Object.values(limits).some((limit) => limit !== undefined), 'limit at least one unit');

/** A limit of uses: a number counts calls. */
export const UseLimitSchema = z.union([between(1, MOST_USES), UsesSchema], {
  error: `use a whole number of calls from 1 to ${String(MOST_USES)}, or whole numbers from 0 for \`calls\`, \`queries\`, \`rows\`, \`bytes\` and \`spend\``,
});

const QuotaSchema = z.strictObject({
  tasksPerMinute: between(1, 10_000_000),
  concurrentTasks: between(1, 10_000_000),
  /** the uses of one task with everything below it; a number counts calls */
  uses: UseLimitSchema.optional(),
  /** the most calls of one task with everything below it, in any 60 s */
  usesPerMinute: between(1, 10_000_000).optional(),
});

/** One name of an operation, as an enforcement point asks for it. */
const OperationNameSchema = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_.:/-]{0,127}$/, 'use 1 to 128 letters, digits and `_.:/-`, a letter first');

const CredentialSchema = z.strictObject({
  name: NameSchema,
  provider: NameSchema,
  connection: NameSchema.optional(),
  scope: JsonObjectSchema,
  /** after its end, Mayfly uses the credential until its target refuses it (`confirmedDeadAt`) */
  probe: z.boolean().optional(),
});

const CredentialsSchema = z
  .array(CredentialSchema)
  .min(1)
  .max(8)
  .superRefine((credentials, context) => {
    credentials.forEach(({ name }, index) => {
      if (credentials.findIndex((other) => other.name === name) === index) return;
      context.addIssue({ code: 'custom', path: [index, 'name'], message: 'use each credential name once' });
    });
  });

/**
 * The rule for what a task of the template may hand on: tasks of these templates, `maxDepth` levels below it, and at most
 * `maxChildren` at a time, waiting and running together.
 */
const DelegationSchema = z.strictObject({
  templates: z.array(NameSchema).min(1).max(32),
  maxDepth: between(1, 5),
  maxChildren: between(1, 1_000),
});

/** Policies of the template itself, in the language Cedar, by id. The linter judges them (MF401). */
const ConditionsSchema = z
  .record(NameSchema, z.string().min(1))
  .refine((conditions) => Object.keys(conditions).length <= 20, 'use at most 20 conditions');

/**
 * `TaskTemplate.spec`: the limits of a task of this kind. Lifetimes are in seconds, quotas are counts. This schema
 * checks the shape; `compileParameters`, `compileScope` and the linter check the content of parameters and scopes.
 */
export const TaskTemplateSpecSchema = z
  .strictObject({
    description: DescriptionSchema,
    owner: NameSchema,
    backupOwner: NameSchema,
    review: ReviewSchema,
    requesters: RequestersSchema,
    parameters: JsonObjectSchema,
    lifetime: LifetimeSchema,
    quota: QuotaSchema,
    /** the operations at connections whose provider cannot judge one; none, if absent */
    operations: z.array(OperationNameSchema).min(1).max(64).optional(),
    heartbeat: z.strictObject({ timeoutSeconds: between(5, 3_600) }).optional(),
    delegation: DelegationSchema.optional(),
    conditions: ConditionsSchema.optional(),
    credentials: CredentialsSchema,
  })
  .refine((spec) => spec.owner !== spec.backupOwner, {
    path: ['backupOwner'],
    error: 'name another owner than `owner`',
  });

export type TaskTemplateSpec = z.infer<typeof TaskTemplateSpecSchema>;
export type TemplateCredential = TaskTemplateSpec['credentials'][number];
