import type { RequestListener } from 'node:http';
import { newId, Problem } from '@mayfly/kernel';
import {
  ConnectionDrain,
  createBoundedServer,
  type RenderedProblem,
  renderErrorAt,
  renderProblem,
  RouteMethods,
  useStrictBodies,
  validationProblem,
} from '@mayfly/http';
import { StandardSchemaValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { LogController, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
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
    serverFactory: (handler: RequestListener) => createBoundedServer(handler, drain),
    // The server answers these, also the second one of `localhost`.
    clientErrorHandler: () => undefined,
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
  refuseUnrouted(fastify);
  app.useGlobalPipes(new StandardSchemaValidationPipe({ exceptionFactory: validationProblem }));
  app.get(OpenApi).describe(app);
  return app;
}

/** What Fastify refuses before it looks for a route: its own answer would repeat the address. */
function refuseAddress(_error: Error, request: FastifyRequest, reply: FastifyReply): void {
  const problem = new Problem('invalid_request', 'the address is too long, or wrongly encoded');
  void refuse(reply, renderErrorAt(request.url, problem, request.id));
}

/**
 * Refuses what no route takes before its body is read: an address that takes other methods with 405 and their names
 * (RFC 9110 §15.5.6), every other one with 404.
 */
function refuseUnrouted(fastify: FastifyInstance): void {
  const methods = new RouteMethods();
  fastify.addHook('onRoute', ({ method, url }) => {
    methods.add(method, url);
  });
  fastify.addHook('onRequest', async (request, reply) => {
    if (!request.is404) return;
    const allow = methods.at(request.url).join(', ');
    if (allow === '') {
      const problem = new Problem('not_found', 'there is nothing at this address');
      return refuse(reply, renderProblem(problem, request.id));
    }
    const problem = new Problem('method_not_allowed', `this address takes ${allow}, not ${request.method}`);
    return refuse(reply.header('allow', allow), renderErrorAt(request.url, problem, request.id));
  });
}

function refuse(reply: FastifyReply, { status, headers, body }: RenderedProblem): FastifyReply {
  return reply.code(status).headers(headers).send(body);
}
