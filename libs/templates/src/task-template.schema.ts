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

const QuotaSchema = z.strictObject({
  tasksPerMinute: between(1, 10_000_000),
  concurrentTasks: between(1, 10_000_000),
  uses: z.int().min(1).optional(),
});

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
