import { createHttpApp, IdentityGuard, type LeanRoute } from '@mayfly/http';
import type { Services } from '@mayfly/service';
import { Reflector } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { BrokerModule } from './broker.module.js';
import type { RouteChoice } from './config.js';
import { OpenApi } from './service/openapi.js';
import { authorizeRoute } from './operations/authorize.route.js';
import { OperationsController } from './operations/operations.controller.js';
import { createTaskRoute } from './tasks/create-task.route.js';
import { TasksController } from './tasks/tasks.controller.js';

/**
 * Body limits in bytes, by route. A declaration check judges its documents together, so one body carries them all; one
 * question of an enforcement point is about up to 1,000 operations, each with its token.
 */
const BODY_LIMITS: ReadonlyMap<string, number> = new Map([
  ['/declarations/check', 1024 * 1024],
  ['/authorize', 1024 * 1024],
]);

/** Creates the broker's HTTP application over composed services. The caller makes it listen. */
export async function createHttp(services: Services, choice: RouteChoice): Promise<NestFastifyApplication> {
  const { log, metrics } = services;
  const guard = new IdentityGuard(new Reflector(), services.verifier, services.catalog, services.refusals);
  const app = await createHttpApp({
    module: BrokerModule.over(services, guard, choice),
    ...{ log, metrics, bodyLimits: BODY_LIMITS },
    leanRoutes: { guard, of: (app) => (choice.api ? leanRoutesOf(app) : []) },
  });
  app.get(OpenApi).describe(app);
  return app;
}

function leanRoutesOf(app: NestFastifyApplication): readonly LeanRoute[] {
  return [createTaskRoute(app.get(TasksController)), authorizeRoute(app.get(OperationsController))];
}
