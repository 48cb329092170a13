import { CONTROL_NAMES } from '@mayfly/kernel';
import { z } from 'zod';

/** The most operations of one request. */
const MOST_OPERATIONS = 1_000;
/** One use takes at most so much of a unit: a sum with any limit stays a safe integer. */
const MOST_OF_A_USE = 1_000_000_000_000;

const Amount = z.int().min(0).max(MOST_OF_A_USE).optional();

const UsesSchema = z.union(
  [
    z.int().min(1).max(MOST_OF_A_USE),
    z
      .strictObject({ calls: Amount, queries: Amount, rows: Amount, bytes: Amount, spend: Amount })
      .refine((amounts) => Object.values(amounts).some((amount) => (amount ?? 0) > 0), 'take at least one unit'),
  ],
  {
    error: `use a whole number of calls from 1 to ${String(MOST_OF_A_USE)}, or whole numbers from 0 for \`calls\`, \`queries\`, \`rows\`, \`bytes\` and \`spend\``,
  },
);

const printable = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    .regex(/^[\x21-\x7e]*$/, 'use printable ASCII characters without blanks');

/** One operation of `POST /authorize`. */
export const OperationSchema = z
  .strictObject({
    token: z.string().min(1).max(8_192).meta({ description: 'the task token, or an access token that Mayfly signed' }),
    operation: printable(128).meta({ examples: ['cases.read', 'select'] }),
    target: printable(512).meta({
      description: 'the audience of the access token, or the connection; or a name below it, after `/`',
      examples: ['https://cases.example', 'crm/emea.cases'],
    }),
    uses: UsesSchema.optional().meta({
      description: 'a number counts calls; an object is one call unless it names `calls`; default 1',
    }),
    argumentsDigest: printable(128).optional().meta({ description: 'is recorded, and not judged' }),
    requestId: printable(128).optional().meta({
      description:
        'your own id of the request, never one that your client sent: the same id within 60 s is the same use',
    }),
  })
  .meta({ id: 'AuthorizeOperation' });
export type AskedOperation = z.infer<typeof OperationSchema>;

/** The body of many operations. */
export const EvaluationsSchema = z
  .strictObject({ evaluations: z.array(OperationSchema).min(1).max(MOST_OPERATIONS) })
  .meta({ id: 'AuthorizeEvaluations' });
export type AskedEvaluations = z.infer<typeof EvaluationsSchema>;

/** Body of `POST /authorize`: one operation, or many. */
export const AuthorizeSchema = z.union([OperationSchema, EvaluationsSchema]).meta({ id: 'Authorize' });
export type Authorize = z.infer<typeof AuthorizeSchema>;

const LeftSchema = z.strictObject({ limit: z.int(), left: z.int() });

/** The decision on one operation. */
const OperationAnswerSchema = z
  .strictObject({
    decision: z.boolean().meta({ description: 'do the operation only if this is true' }),
    decisionId: z.string(),
    control: z.enum(CONTROL_NAMES).optional().meta({ description: 'the control that denied (docs/controls.md)' }),
    detail: z.string().optional(),
    uses: LeftSchema.optional().meta({
      description: 'the limit of calls with the least left; absent when there is none',
    }),
    units: z
      .strictObject({ queries: LeftSchema, rows: LeftSchema, bytes: LeftSchema, spend: LeftSchema })
      .partial()
      .optional(),
    retryAfterSeconds: z.int().optional(),
  })
  .meta({ id: 'OperationDecision' });

/** Answer of `POST /authorize`: to one operation, or to each of many, in their order. */
export const AuthorizeAnswerSchema = z
  .union([OperationAnswerSchema, z.strictObject({ evaluations: z.array(OperationAnswerSchema) })])
  .meta({ id: 'AuthorizeAnswer' });
