import type { Server } from 'node:http';
import { newId, Problem } from '@mayfly/kernel';
import { renderProblem, useStrictBodies, validationProblem } from '@mayfly/platform';
import { StandardSchemaValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { LogController, type FastifyReply, type FastifyRequest } from 'fastify';
import { BrokerModule } from '../broker.module.js';
import { OpenApi } from '../service/openapi.js';
import type { Services } from './services.js';

const BODY_LIMIT_BYTES = 64 * 1024;
const REQUEST_TIMEOUT_MS = 30_000;

/** The HTTP application over composed services, ready to listen. */
export async function createHttp(services: Services): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter({
    loggerInstance: services.log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    genReqId: () => newId('req'),
    forceCloseConnections: 'idle',
    return503OnClosing: true,
    routerOptions: { maxParamLength: 200 },
    frameworkErrors: refuseAddress,
  });
  const app = await NestFactory.create<NestFastifyApplication>(BrokerModule.over(services), adapter, {
    bodyParser: false,
    logger: false,
  });
  const fastify = app.getHttpAdapter().getInstance();
  useStrictBodies(fastify);
  fastify.addHook('onResponse', (request, reply, done) => {
    const { metrics } = services;
    metrics.requestAnswered(request.method, request.routeOptions.url, reply.statusCode, reply.elapsedTime / 1000);
    done();
  });
  fastify.addHook('onSend', (request, reply, _payload, done) => {
    reply.header('x-request-id', request.id);
    reply.header('x-content-type-options', 'nosniff');
    done();
  });
  fastify.addHook('preClose', (done) => {
    closeAsTheyFallIdle(fastify.server);
    done();
  });
  app.useGlobalPipes(new StandardSchemaValidationPipe({ exceptionFactory: validationProblem }));
  app.get(OpenApi).describe(app);
  return app;
}

/** Closing ends the connections that are idle then; one whose answer was under way would be kept alive for a minute. */
function closeAsTheyFallIdle(server: Server): void {
  const looking = setInterval(() => {
    server.closeIdleConnections();
  }, 50);
  server.once('close', () => {
    clearInterval(looking);
  });
}

/** What Fastify refuses before it looks for a route: its own answer would repeat the address. */
function refuseAddress(_error: Error, request: FastifyRequest, reply: FastifyReply): void {
  const problem = new Problem('invalid_request', 'the address is too long, or wrongly encoded');
  const { status, headers, body } = renderProblem(problem, request.id);
  void reply.code(status).headers(headers).send(body);
}
