import { createHttpApp } from '@mayfly/http';
import type { Services } from '@mayfly/service';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { BrokerModule } from './broker.module.js';
import type { RouteChoice } from './config.js';
import { OpenApi } from './service/openapi.js';

/** Body limits in bytes, by route. A declaration check judges its documents together, so one body carries them all. */
const BODY_LIMITS: ReadonlyMap<string, number> = new Map([['/declarations/check', 1024 * 1024]]);

/** Creates the broker's HTTP application over composed services. The caller makes it listen. */
export async function createHttp(services: Services, choice: RouteChoice): Promise<NestFastifyApplication> {
  const { log, metrics } = services;
  const app = await createHttpApp({
    module: BrokerModule.over(services, choice),
    ...{ log, metrics, bodyLimits: BODY_LIMITS },
  });
  app.get(OpenApi).describe(app);
  return app;
}
