import { CONTROL_NAMES, isId } from '@mayfly/kernel';
import { z } from 'zod';
import { VerdictSchema } from '../tasks/task.schemas.js';

const Instant = z.iso.datetime();
const Control = z.enum(CONTROL_NAMES);

/** The id of a decision in a path. */
export const DecisionIdSchema = z.string().refine((text) => isId('dec', text), 'use the id of a decision, `dec_…`');

const OutcomeSchema = z.strictObject({
  permitted: z.boolean(),
  control: Control.optional().meta({ description: 'the control that denied' }),
  trace: z.array(VerdictSchema).meta({ description: 'the verdict of every control, in their order' }),
});

/** Answer of `GET /decisions/:id`. */
export const DecisionSchema = OutcomeSchema.extend({
  id: z.string(),
  at: Instant.meta({ description: 'the instant that the decision took for now' }),
  phase: z.enum(['request', 'renew', 'delegate', 'operate']),
  taskId: z.string().optional().meta({ description: 'the task that the decision is about' }),
  agent: z.strictObject({ id: z.string(), name: z.string() }),
  runtime: z.string(),
  template: z.strictObject({ name: z.string(), version: z.int().optional() }),
  inputs: z
    .record(z.string(), z.json())
    .meta({ description: 'all that the decision was made of; empty when they were not kept' }),
  inputsDigest: z.string().meta({ description: 'SHA-256 of the canonical JSON of `inputs`, base64url' }),
  policyDigest: z.string().optional(),
}).meta({ id: 'Decision' });

const DifferencesSchema = z.array(
  z.strictObject({
    control: Control,
    recorded: VerdictSchema.nullable(),
    now: VerdictSchema.nullable(),
  }),
);

const ReplayedSchema = OutcomeSchema.extend({ digest: z.string() });

/** Answer of `POST /decisions/:id/replay`. */
export const ReplaySchema = z
  .strictObject({
    decisionId: z.string(),
    identical: z.boolean().meta({ description: 'true when both outcomes are the same bytes as canonical JSON' }),
    withheld: z
      .literal(true)
      .optional()
      .meta({ description: 'parameters were replaced before they were stored, so the outcomes may differ' }),
    recorded: ReplayedSchema,
    replayed: ReplayedSchema,
    differences: DifferencesSchema,
  })
  .meta({ id: 'DecisionReplay' });

/** Body of `POST /decisions/:id/what-if`. */
export const WhatIfSchema = z
  .union([
    z.strictObject({
      set: z.strictObject({
        pointer: z
          .string()
          .max(500)
          .meta({
            description: 'JSON Pointer (RFC 6901) into `inputs`, or into the spec of the template version as `/spec/…`',
            examples: ['/agent/state'],
          }),
        value: z.json(),
      }),
    }),
    z.strictObject({ harden: Control.meta({ description: 'the control denies, whatever it reads' }) }),
  ])
  .meta({ id: 'WhatIf', examples: [{ set: { pointer: '/agent/state', value: 'suspended' } }] });
export type WhatIf = z.infer<typeof WhatIfSchema>;

/** Answer of `POST /decisions/:id/what-if`. */
export const WhatIfAnswerSchema = z
  .strictObject({
    decisionId: z.string(),
    recorded: OutcomeSchema,
    changed: OutcomeSchema,
    differences: DifferencesSchema,
  })
  .meta({ id: 'WhatIfAnswer' });

/** Answer of `GET /tasks/:id/control-trace`. */
export const ControlTraceSchema = z
  .strictObject({
    taskId: z.string(),
    state: z.string(),
    decisions: z.array(
      z.strictObject({
        decisionId: z.string(),
        at: Instant,
        phase: z.enum(['request', 'renew', 'delegate', 'operate']),
        permitted: z.boolean(),
        control: Control.optional(),
        detail: z.string().optional(),
      }),
    ),
    ended: z
      .strictObject({
        cause: z.string(),
        control: Control.optional().meta({ description: 'the control whose act the end was' }),
        reason: z.string().optional(),
        requestedAt: Instant.optional(),
        endedAt: Instant.optional(),
      })
      .optional(),
    failed: z
      .strictObject({ control: Control, decisionId: z.string().optional(), detail: z.string().optional() })
      .optional()
      .meta({ description: 'the control that ended the task, otherwise the one that denied last' }),
    shouldHaveStopped: z
      .array(VerdictSchema)
      .meta({ description: 'the controls that would deny the request of the task now' }),
  })
  .meta({ id: 'ControlTrace' });
