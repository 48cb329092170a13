import { type LeanRoute, Permits } from '@mayfly/http';
import type { AgentPrincipal } from '@mayfly/identity';
import { Reflector } from '@nestjs/core';
import { parseInput } from '../parse-input.js';
import { readCreateTask } from './read-create-task.js';
import { type CreateTask, type CreateTaskQuery, CreateTaskQuerySchema, CreateTaskSchema } from './task.schemas.js';
import { TasksController } from './tasks.controller.js';

const NO_QUERY: CreateTaskQuery = {};

/** `POST /tasks` without Nest's pipeline. The schemas word the refusal of a body that the plain check does not take. */
export function createTaskRoute(controller: TasksController): LeanRoute {
  return {
    method: 'POST',
    url: '/tasks',
    // eslint-disable-next-line @typescript-eslint/unbound-method -- only its metadata is read
    permissions: new Reflector().get(Permits, TasksController.prototype.create),
    status: 201,
    answer: (principal, request, reply) => {
      const body = readCreateTask(request.body) ?? parseInput<CreateTask>(CreateTaskSchema, request.body);
      const query = request.query as object;
      const options =
        Object.keys(query).length === 0 ? NO_QUERY : parseInput<CreateTaskQuery>(CreateTaskQuerySchema, query);
      const key = request.headers['idempotency-key'] as string | undefined;
      return controller.create(principal as AgentPrincipal, body, options, key, reply);
    },
  };
}
