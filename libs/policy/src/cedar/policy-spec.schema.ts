import { NameSchema } from '@mayfly/kernel';
import { z } from 'zod';
import { MAX_POLICIES } from './policy-bounds.js';

/** `Policy.spec`: texts in the language Cedar by id, and the switches that they may read. */
export const PolicySpecSchema = z.strictObject({
  owner: NameSchema,
  environment: z.strictObject({ freeze: z.boolean().optional(), incident: z.boolean().optional() }).optional(),
  policies: z
    .record(NameSchema, z.string().min(1))
    .refine((policies) => Object.keys(policies).length <= MAX_POLICIES, `use at most ${String(MAX_POLICIES)} policies`),
});
