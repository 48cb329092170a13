import type { JsonObject } from '@mayfly/kernel';
import { CEDAR_SCHEMA, POLICY_ACTIONS, POLICY_ANNOTATIONS } from '@mayfly/policy';
import { z } from 'zod';

/** View of what policies may name. */
export const PolicySchemaViewSchema = z
  .strictObject({
    language: z.literal('cedar'),
    schema: z.string().meta({ description: 'in the schema language of Cedar' }),
    actions: z.array(z.enum(POLICY_ACTIONS)),
    annotations: z
      .array(z.string())
      .meta({ description: '`reason` and the obligations; a policy with any other annotation is refused' }),
  })
  .meta({ id: 'PolicySchema' });

export function policySchemaView(): JsonObject {
  return {
    ...{ language: 'cedar', schema: CEDAR_SCHEMA },
    actions: [...POLICY_ACTIONS],
    annotations: [...POLICY_ANNOTATIONS],
  };
}
