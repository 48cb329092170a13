import { z } from 'zod';
import { faultOfAction } from './action.js';
import { partitionOfResource } from './arn.js';
import { faultOfCondition } from './condition.js';

const VARIABLE = /\$\{(?![*?$]\})/;

/** Any text in a policy: what IAM takes as characters (U+0009, U+000A, U+000D, U+0020 to U+00FF), without control characters. */
const TextSchema = z
  .string()
  .min(1)
  .max(2048)
  .regex(/^[\x20-\x7e\xa0-\xff]+$/, 'use printable Latin-1 characters')
  .refine((text) => !VARIABLE.test(text), 'no policy variables; the escapes are `${*}`, `${?}` and `${$}`');

function oneOrMore(item: z.ZodType<string>): z.ZodType<string | string[]> {
  return z.union([item, z.array(item).min(1).max(128)]);
}

const ResourceSchema = TextSchema.refine(
  (text) => text === '*' || partitionOfResource(text) !== undefined,
  'use an ARN with its service, region and account written out, or `*`',
);

/** One statement of a session policy. What widens by what it leaves out (NotAction, NotResource) is no member. */
const StatementSchema = z
  .strictObject({
    Sid: z
      .string()
      .regex(/^[A-Za-z0-9]{1,64}$/, 'use 1 to 64 letters and digits')
      .optional(),
    Effect: z.enum(['Allow', 'Deny']),
    Action: oneOrMore(TextSchema),
    Resource: oneOrMore(ResourceSchema),
    Condition: z
      .record(
        z.string().max(64),
        z
          .record(z.string().max(256), oneOrMore(TextSchema))
          .refine((keys) => Object.keys(keys).length > 0, 'name at least one condition key'),
      )
      .refine((operators) => Object.keys(operators).length > 0, 'leave an empty condition out')
      .optional(),
  })
  .superRefine((statement, context) => {
    for (const action of [statement.Action].flat()) {
      const fault = faultOfAction(action, statement.Effect);
      if (fault !== undefined) context.addIssue({ code: 'custom', path: ['Action'], message: fault });
    }
    const fault = faultOfCondition(statement.Condition ?? {}, statement.Effect);
    if (fault !== undefined) context.addIssue({ code: 'custom', path: ['Condition'], message: fault });
  });
export type Statement = z.infer<typeof StatementSchema>;

/** The session policy that a template writes. It allows something, names what, and holds no variables. */
export const PolicySchema = z
  .strictObject({
    Version: z.literal('2012-10-17'),
    Statement: z
      .array(StatementSchema)
      .min(1)
      .max(64)
      .refine((statements) => statements.some(({ Effect }) => Effect === 'Allow'), 'allow at least one thing'),
  })
  .refine(({ Statement }) => {
    const ids = Statement.flatMap(({ Sid }) => (Sid === undefined ? [] : [Sid]));
    return new Set(ids).size === ids.length;
  }, 'give each `Sid` once');
export type Policy = z.infer<typeof PolicySchema>;
