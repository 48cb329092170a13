import { LabelsSchema, NameSchema } from '@mayfly/kernel';
import { POLICY_ACTIONS } from '@mayfly/policy';
import { z } from 'zod';

const PHASES = ['request', 'accept', 'renew', 'delegate', 'operate'] as const;
const Count = z.int().min(0);

/** The inputs of one case. What is left out comes from `given` of the file, then from the usual request. */
const GivenSchema = z.strictObject({
  action: z.enum(POLICY_ACTIONS).optional(),
  phase: z.enum(PHASES).optional(),
  agent: z
    .strictObject({
      name: NameSchema.optional(),
      labels: LabelsSchema.optional(),
      runtime: NameSchema.optional(),
      issuer: NameSchema.optional(),
      delegatingUser: z.string().min(1).max(200).optional(),
    })
    .optional(),
  template: z
    .strictObject({
      name: NameSchema.optional(),
      version: z.int().min(1).optional(),
      owner: NameSchema.optional(),
      labels: LabelsSchema.optional(),
      connections: z.array(NameSchema).max(32).optional(),
      providers: z.array(NameSchema).max(32).optional(),
    })
    .optional(),
  operation: z.strictObject({ name: z.string().min(1).max(200), target: NameSchema }).optional(),
  environment: z.strictObject({ freeze: z.boolean().optional(), incident: z.boolean().optional() }).optional(),
  at: z.iso.datetime().optional(),
  approvals: Count.optional(),
  treeDepth: Count.optional(),
  requestedSeconds: Count.optional(),
  usesLeft: Count.optional(),
});
export type GivenInputs = z.infer<typeof GivenSchema>;

const ExpectedSchema = z.strictObject({
  outcome: z.enum(['permit', 'deny']),
  /** the ids of the policies that decide, in any order; left out: not compared */
  policies: z.array(z.string()).max(200).optional(),
  obligations: z
    .strictObject({
      lifeSeconds: z.int().optional(),
      concurrentTasks: z.int().optional(),
      tasksPerMinute: z.int().optional(),
    })
    .optional(),
});
export type ExpectedVerdict = z.infer<typeof ExpectedSchema>;

/** A document of cases: inputs of requests, and the verdicts that the policies must give on them. */
export const PolicyCasesSchema = z.strictObject({
  kind: z.literal('PolicyCases'),
  given: GivenSchema.optional(),
  cases: z
    .array(z.strictObject({ name: z.string().min(1).max(200), given: GivenSchema.optional(), expect: ExpectedSchema }))
    .min(1)
    .max(2_000),
});
export type PolicyCases = z.infer<typeof PolicyCasesSchema>;
export type PolicyCase = PolicyCases['cases'][number];
