import { applyDecorators } from '@nestjs/common';
import { ApiResponse } from '@nestjs/swagger';
import { z } from 'zod';

/** An RFC 9457 problem document; docs/problems.md lists the codes. */
export const ProblemSchema = z
  .object({
    type: z.string().meta({ examples: ['urn:mayfly:problem:policy_denied'] }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string().optional(),
    control: z.string().optional(),
    help: z.string().optional(),
    limit: z.object({ name: z.string(), value: z.int() }).optional(),
    reason: z
      .string()
      .optional()
      .meta({ examples: ['expired'] }),
    identity: z
      .object({ issuer: z.string(), subject: z.string() })
      .optional()
      .meta({ description: 'the proven identity of the caller; bind it to an agent' }),
    errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
    taskId: z.string().optional(),
    decisionId: z.string().optional().meta({ description: 'the record of the decision that refused, if one was kept' }),
  })
  .meta({ id: 'Problem' });

const MEANINGS = {
  400: 'the request does not have the documented shape',
  401: 'no identity was proven, or it was refused; for a proven token, `reason` says why',
  403: 'not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent',
  404: 'not found, or not visible to this caller',
  409: 'the state does not allow this, or the same request is in progress',
  422: 'well formed, but wrong in content',
  429: 'a quota is used up',
  500: 'a fault of the service',
  502: 'a back end refused',
  503: 'the service or a target does not answer; the caller got no credential',
};

/** Statuses of some routes only. */
const SPECIAL_MEANINGS = {
  412: '`If-Match` names an older version, or `If-None-Match: *` finds an existing one',
  428: 'the change needs `If-Match` with the `ETag` that was read',
};

const ALL_MEANINGS = { ...MEANINGS, ...SPECIAL_MEANINGS };
type ProblemStatus = keyof typeof ALL_MEANINGS;

/** Adds the problem responses of any route, or only those with the given statuses, to the OpenAPI document. */
export function ApiProblems(...statuses: readonly ProblemStatus[]) {
  const meanings = Object.entries(ALL_MEANINGS).filter(([status]) =>
    statuses.length === 0 ? status in MEANINGS : statuses.some((wanted) => String(wanted) === status),
  );
  return applyDecorators(
    ...meanings.map(([status, description]) =>
      ApiResponse({ status: Number(status), description, standardSchema: ProblemSchema }),
    ),
  );
}
