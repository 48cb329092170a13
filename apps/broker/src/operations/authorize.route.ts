import { type LeanRoute, Permits } from '@mayfly/http';
import { Reflector } from '@nestjs/core';
import { parseInput } from '../parse-input.js';
import { OperationsController } from './operations.controller.js';
import {
  type AskedEvaluations,
  type AskedOperation,
  EvaluationsSchema,
  OperationSchema,
} from './operations.schemas.js';

/** `POST /authorize` without Nest's pipeline. The member `evaluations` says which of the two bodies it is. */
export function authorizeRoute(controller: OperationsController): LeanRoute {
  return {
    method: 'POST',
    url: '/authorize',
    // eslint-disable-next-line @typescript-eslint/unbound-method -- only its metadata is read
    permissions: new Reflector().get(Permits, OperationsController.prototype.authorize),
    status: 200,
    answer: (principal, request, reply) => {
      void reply.header('cache-control', 'no-store');
      const { body } = request;
      const asked =
        typeof body === 'object' && body !== null && 'evaluations' in body
          ? parseInput<AskedEvaluations>(EvaluationsSchema, body)
          : parseInput<AskedOperation>(OperationSchema, body);
      return controller.authorize(principal, asked);
    },
  };
}
