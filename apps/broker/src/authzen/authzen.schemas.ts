import { z } from 'zod';

// Members are those of the AuthZEN Authorization API 1.0; unknown ones are ignored, as it says (§5).
const Text = z.string().min(1).max(300);
const Properties = z.record(z.string(), z.json()).optional();

const SubjectSchema = z.object({
  type: Text.meta({ examples: ['agent'] }),
  id: Text.meta({ description: 'the name of the agent', examples: ['support-agent'] }),
  properties: Properties.meta({ description: '`runtime`, when a person asks about an agent' }),
});
const ActionSchema = z.object({ name: Text.meta({ examples: ['request'] }), properties: Properties });
const ResourceSchema = z.object({
  type: Text.meta({ examples: ['template'] }),
  id: Text.meta({ description: 'the name of a task template', examples: ['support-read-cases'] }),
  properties: Properties,
});
const ContextSchema = Properties.meta({ description: '`parameters`, `purpose` and `ttlSeconds` of the request' });

/** Body of `POST /access/v1/evaluation`. */
export const EvaluationSchema = z
  .object({ subject: SubjectSchema, action: ActionSchema, resource: ResourceSchema, context: ContextSchema })
  .meta({ id: 'AccessEvaluation' });
export type Evaluation = z.infer<typeof EvaluationSchema>;

const Defaults = {
  subject: SubjectSchema.optional(),
  action: ActionSchema.optional(),
  resource: ResourceSchema.optional(),
  context: ContextSchema,
};

/** Body of `POST /access/v1/evaluations`: the members of the body are the defaults of each evaluation. */
export const EvaluationsSchema = z
  .object({
    ...Defaults,
    evaluations: z.array(z.object(Defaults)).min(1).max(200),
    options: z
      .object({
        evaluations_semantic: z.enum(['execute_all', 'deny_on_first_deny', 'permit_on_first_permit']).optional(),
      })
      .optional(),
  })
  .meta({ id: 'AccessEvaluations' });
export type Evaluations = z.infer<typeof EvaluationsSchema>;

/** Answer of `POST /access/v1/evaluation`. A denial is 200 too. */
export const EvaluationAnswerSchema = z
  .strictObject({
    decision: z.boolean(),
    context: z
      .record(z.string(), z.json())
      .optional()
      .meta({ description: '`control`, `reason_admin`, `reason_user` and `template_version`' }),
  })
  .meta({ id: 'AccessEvaluationAnswer' });

export const EvaluationsAnswerSchema = z
  .strictObject({ evaluations: z.array(EvaluationAnswerSchema) })
  .meta({ id: 'AccessEvaluationsAnswer' });

/** Answer of `GET /.well-known/authzen-configuration`. */
export const AuthzenConfigurationSchema = z
  .strictObject({
    policy_decision_point: z.url(),
    access_evaluation_endpoint: z.url(),
    access_evaluations_endpoint: z.url(),
  })
  .meta({ id: 'AuthzenConfiguration' });
