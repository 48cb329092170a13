import { ProblemFilter } from '@mayfly/platform';
import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, Reflector } from '@nestjs/core';
import type { Services } from './boot/services.js';
import { IdentityGuard } from './security/identity.guard.js';
import { HealthController } from './service/health.controller.js';
import { MeController } from './tasks/me.controller.js';
import { TasksController } from './tasks/tasks.controller.js';
import { TasksService } from './tasks/tasks.service.js';
import { SERVICES } from './tokens.js';

/** All routes. Tests walk this list: each method states a permission. */
export const CONTROLLERS = [TasksController, MeController, HealthController];

/** The HTTP side of the broker, over services that were composed beforehand (boot/services.ts). */
@Module({})
export class BrokerModule {
  static over(services: Services): DynamicModule {
    return {
      module: BrokerModule,
      controllers: CONTROLLERS,
      providers: [
        { provide: SERVICES, useValue: services },
        { provide: TasksService, useValue: services.tasksService },
        {
          provide: APP_GUARD,
          inject: [Reflector],
          useFactory: (reflector: Reflector) =>
            new IdentityGuard(reflector, services.verifier, services.catalog, services.refusals),
        },
        { provide: APP_FILTER, useClass: ProblemFilter },
      ],
    };
  }
}
