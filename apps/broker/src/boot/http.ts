import type { RequestListener } from 'node:http';
import { newId, Problem } from '@mayfly/kernel';
import {
  ConnectionDrain,
  createBoundedServer,
  renderProblem,
  useStrictBodies,
  validationProblem,
} from '@mayfly/platform';
import { StandardSchemaValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { LogController, type FastifyReply, type FastifyRequest } from 'fastify';
import { BrokerModule } from '../broker.module.js';
import { OpenApi } from '../service/openapi.js';
import { useBodyLimits } from './body-limits.js';
import type { Services } from './services.js';

const BODY_LIMIT_BYTES = 64 * 1024;

/** The HTTP application over composed services, ready to listen. */
export async function createHttp(services: Services): Promise<NestFastifyApplication> {
  const drain = new ConnectionDrain();
  const adapter = new FastifyAdapter({
    // For `localhost` there is a server an address.
    serverFactory: (handler: RequestListener) => {
      const server = createBoundedServer(handler);
      drain.follow(server);
      return server;
    },
    loggerInstance: services.log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_LIMIT_BYTES,
    genReqId: () => newId('req'),
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
  useBodyLimits(fastify);
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
    void drain.drain();
    done();
  });
  fastify.addHook('onClose', () => drain.drain());
  app.useGlobalPipes(new StandardSchemaValidationPipe({ exceptionFactory: validationProblem }));
  app.get(OpenApi).describe(app);
  return app;
}

/** What Fastify refuses before it looks for a route: its own answer would repeat the address. */
function refuseAddress(_error: Error, request: FastifyRequest, reply: FastifyReply): void {
  const problem = new Problem('invalid_request', 'the address is too long, or wrongly encoded');
  const { status, headers, body } = renderProblem(problem, request.id);
  void reply.code(status).headers(headers).send(body);
}
