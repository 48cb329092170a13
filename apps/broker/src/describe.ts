import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { IdentityGuard } from '@mayfly/http';
import type { Services } from '@mayfly/service';
import { BrokerModule } from './broker.module.js';
import { OpenApi } from './service/openapi.js';

/** Stands in for the services: the routes are only described, never called, so no database or setting is needed. */
const NOTHING_BEHIND = {} as unknown as Services;
const NO_GUARD = { canActivate: () => false } as unknown as IdentityGuard;
const EVERY_ROUTE = { api: true, docs: true };

const app = await NestFactory.create<NestFastifyApplication>(
  BrokerModule.over(NOTHING_BEHIND, NO_GUARD, EVERY_ROUTE),
  new FastifyAdapter(),
  // Nest logs errors to stderr; stdout has the document only.
  { logger: ['error', 'fatal'] },
);
const openApi = app.get(OpenApi);
openApi.describe(app);
process.stdout.write(JSON.stringify(openApi.read()));
await app.close();
