import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Services } from './boot/services.js';
import { BrokerModule } from './broker.module.js';
import { OpenApi } from './service/openapi.js';

/** Stands in for the services: the routes are only described, never called, so no database or setting is needed. */
const NOTHING_BEHIND = { config: { api: true, docs: true } } as unknown as Services;

const app = await NestFactory.create<NestFastifyApplication>(BrokerModule.over(NOTHING_BEHIND), new FastifyAdapter(), {
  logger: false,
});
const openApi = app.get(OpenApi);
openApi.describe(app);
process.stdout.write(JSON.stringify(openApi.read()));
await app.close();
