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
      .meta({ description: 'the proven identity of the caller, to be bound to an agent' }),
    errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
    taskId: z.string().optional(),
  })
  .meta({ id: 'Problem' });

const MEANINGS: Readonly<Record<number, string>> = {
  400: 'the request does not have the documented shape',
  401: 'no identity was proven, or it was refused; `reason` says why, for a proven token',
  403: 'not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent',
  404: 'it is not there, or not for this caller to see',
  409: 'it is not in a state for this, or the same request is under way',
  422: 'well formed, but wrong in content',
  429: 'a quota is used up',
  500: 'a fault of the service',
  502: 'a back end refused',
  503: 'a part that is needed does not answer; nothing was granted',
};

/** What only some routes answer with. */
const SPECIAL_MEANINGS: Readonly<Record<number, string>> = {
  412: '`If-Match` names an older version, or `If-None-Match: *` meets one that exists',
  428: 'the change needs `If-Match` with the `ETag` of what was read',
};

/** Documents the problems that any route may answer with, or only those of the statuses given. */
export function ApiProblems(...statuses: readonly number[]) {
  const wanted = statuses.length === 0 ? Object.keys(MEANINGS).map(Number) : statuses;
  return applyDecorators(
    ...wanted.map((status) =>
      ApiResponse({
        status,
        description: MEANINGS[status] ?? SPECIAL_MEANINGS[status] ?? 'a problem',
        standardSchema: ProblemSchema,
      }),
    ),
  );
}
