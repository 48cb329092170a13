import { z } from 'zod';
import { faultOfAction } from './action.js';
import { partitionOfResource } from './arn.js';
import { faultOfCondition } from './condition.js';

const VARIABLE = /\$\{(?![*?$]\})/;

/**
 * Any text in a policy: the characters that IAM accepts (U+0009, U+000A, U+000D, U+0020 to U+00FF), without control
 * characters.
 */
const TextSchema = z
  .string()
  .min(1)
  .max(2048)
  .regex(/^[\x20-\x7e\xa0-\xff]+$/, 'use printable Latin-1 characters')
  .refine((text) => !VARIABLE.test(text), 'no policy variables; the escapes are `${*}`, `${?}` and `${$}`');

function oneOrMore(item: z.ZodType<string>): z.ZodType<string | string[]> {
  return z.union([item, z.array(item).min(1).max(128)]);
}

/**
 * A value of a condition. IAM accepts booleans and numbers, and compares them as their JSON texts. Mayfly sends those
 * texts, which every engine reads alike.
 */
const ConditionValueSchema: z.ZodType<string> = z.union([
  TextSchema,
  z.boolean().transform(String),
  z
    .number()
    .refine(
      (value) => /^-?\d{1,15}(\.\d{1,6})?$/.test(String(value)),
      'use at most 15 digits and 6 decimals, or a text',
    )
    .transform(String),
]);

/**
 * Adds a barrier to a schema: checks after it see valid values only. Without it, zod goes on with values that a
 * member's refinement refused, before their transformation.
 */
export function soundly<Schema extends z.ZodType>(schema: Schema) {
  return schema.transform((value) => value);
}

const ResourceSchema = TextSchema.refine(
  (text) => text === '*' || partitionOfResource(text) !== undefined,
  'use an ARN with its service, region and account written out, or `*`',
);

/**
 * One statement of a session policy. NotAction and NotResource are not members: they allow everything that they do not
 * name.
 */
const StatementSchema = soundly(
  z.strictObject({
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
          .record(z.string().max(256), oneOrMore(ConditionValueSchema))
          .refine((keys) => Object.keys(keys).length > 0, 'name at least one condition key'),
      )
      .refine((operators) => Object.keys(operators).length > 0, 'leave an empty condition out')
      .optional(),
  }),
).superRefine((statement, context) => {
  for (const action of [statement.Action].flat()) {
    const fault = faultOfAction(action, statement.Effect);
    if (fault !== undefined) context.addIssue({ code: 'custom', path: ['Action'], message: fault });
  }
  const services = [statement.Action].flat().map((action) => action.toLowerCase().split(':')[0] ?? '');
  const place = { effect: statement.Effect, services: [...new Set(services)] };
  const fault = faultOfCondition(statement.Condition ?? {}, place);
  if (fault !== undefined) context.addIssue({ code: 'custom', path: ['Condition'], message: fault });
});
export type Statement = z.infer<typeof StatementSchema>;

/** One statement or a list of them, as IAM accepts it; the output is a list. */
const StatementsSchema = z
  .union([StatementSchema, z.array(StatementSchema).min(1).max(64)])
  .transform((statements) => [statements].flat())
  .refine((statements) => statements.some(({ Effect }) => Effect === 'Allow'), 'allow at least one thing');

/** The session policy of a template. It must allow something, name the actions and resources, and hold no variables. */
export const PolicySchema = soundly(
  z.strictObject({ Version: z.literal('2012-10-17'), Statement: StatementsSchema }),
).refine(({ Statement }) => {
  const ids = Statement.flatMap(({ Sid }) => (Sid === undefined ? [] : [Sid]));
  return new Set(ids).size === ids.length;
}, 'give each `Sid` once');
export type Policy = z.infer<typeof PolicySchema>;
