import { z } from 'zod';
import { partitionOfResource, PolicyArnSchema, roleOf, RoleArnSchema } from './arn.js';
import { PolicySchema, soundly } from './policy.schema.js';

/** The session tags that Mayfly itself sets; their prefix is reserved. */
const OWN_TAGS = ['mayfly:template', 'mayfly:agent', 'mayfly:task'] as const;

/** STS accepts 50 session tags; three are Mayfly's. */
const MAX_TAGS = 50 - OWN_TAGS.length;

const TAG_TEXT = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;

const TagKeySchema = z
  .string()
  .min(1)
  .max(128)
  .regex(TAG_TEXT, 'use letters, digits, spaces and _ . : / = + - @')
  .refine((key) => !/^(aws|mayfly):/i.test(key), 'the prefixes `aws:` and `mayfly:` are reserved');

const areDistinct = (texts: readonly string[]): boolean =>
  new Set(texts.map((text) => text.toLowerCase())).size === texts.length;

/** A rendered scope: one role, and the part of its rights that the session gets (STS API reference, AssumeRole). */
export const AwsScopeSchema = soundly(
  z.strictObject({
    roleArn: RoleArnSchema,
    /** required: without it a session has all rights of the role */
    policy: PolicySchema,
    /** managed policies: AWS allows what `policy` or any of them allows, within the role's rights */
    policyArns: z.array(PolicyArnSchema).min(1).max(10).refine(areDistinct, 'name each policy once').optional(),
    tags: z
      .record(TagKeySchema, z.string().max(256).regex(TAG_TEXT, 'use letters, digits, spaces and _ . : / = + - @'))
      .refine((tags) => Object.keys(tags).length <= MAX_TAGS, `use at most ${String(MAX_TAGS)} tags`)
      .refine((tags) => areDistinct(Object.keys(tags)), 'tag keys that differ in case alone are the same key')
      .optional(),
    /** tags that pass to the sessions that this session takes */
    transitiveTagKeys: z
      .array(z.string().min(1).max(128))
      .min(1)
      .max(50)
      .refine(areDistinct, 'name each key once')
      .optional(),
    externalId: z
      .string()
      .min(2)
      .max(1224)
      .regex(/^[\w+=,.@:/-]+$/, 'use letters, digits and _ + = , . @ : / -')
      .optional(),
  }),
).superRefine((scope, context) => {
  const keys: string[] = [...OWN_TAGS, ...Object.keys(scope.tags ?? {})];
  if (scope.transitiveTagKeys?.some((key) => !keys.includes(key)) === true) {
    context.addIssue({ code: 'custom', path: ['transitiveTagKeys'], message: 'name keys of `tags`' });
  }
  if (arnsOf(scope).some((partition) => partition !== roleOf(scope.roleArn).partition)) {
    context.addIssue({ code: 'custom', path: ['policy'], message: 'keep to the partition of `roleArn`' });
  }
});
export type AwsScope = z.infer<typeof AwsScopeSchema>;

/** Returns the partition of every resource and managed policy in the scope. */
function arnsOf(scope: { policy: z.infer<typeof PolicySchema>; policyArns?: string[] | undefined }): string[] {
  const resources = scope.policy.Statement.flatMap(({ Resource }) => [Resource].flat()).filter((text) => text !== '*');
  const partitions = resources.map((arn) => partitionOfResource(arn) ?? '');
  return [...partitions, ...(scope.policyArns ?? []).map((arn) => arn.split(':')[1] ?? '')];
}
