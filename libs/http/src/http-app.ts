import type { RequestListener } from 'node:http';
import { newId, Problem } from '@mayfly/kernel';
import { type DynamicModule, StandardSchemaValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import {
  LogController,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import type { Logger } from 'pino';
import { useBodyLimits } from './body-limits.js';
import { useStrictBodies } from './body-parsers.js';
import { ConnectionDrain } from './connection-drain.js';
import { createBoundedServer } from './http-server.js';
import type { IdentityGuard } from './access/identity.guard.js';
import { type LeanRoute, useLeanRoutes } from './lean-route.js';
import { type RenderedProblem, renderErrorAt, renderProblem } from './problem-table.js';
import { RouteMethods } from './route-methods.js';
import { validationProblem } from './validation-problem.js';

const BODY_LIMIT_BYTES = 64 * 1024;

export interface HttpAppParts {
  /** the Nest module with the app's controllers */
  readonly module: DynamicModule;
  readonly log: Logger;
  readonly metrics: {
    requestAnswered(method: string, route: string | undefined, status: number, seconds: number): void;
  };
  /** the body limits, in bytes, of routes that take more than 64 KiB */
  readonly bodyLimits: ReadonlyMap<string, number>;
  /** the routes that run without Nest's pipeline, over the application's own guard and controllers */
  readonly leanRoutes?: {
    readonly guard: Pick<IdentityGuard, 'admit'>;
    readonly of: (app: NestFastifyApplication) => readonly LeanRoute[];
  };
}

/** Creates the HTTP application of a module. The caller makes it listen. */
export async function createHttpApp(parts: HttpAppParts): Promise<NestFastifyApplication> {
  const drain = new ConnectionDrain();
  const adapter = new FastifyAdapter({
    // Fastify opens one server per address of `localhost`.
    serverFactory: (handler: RequestListener) => createBoundedServer(handler, drain),
    // The bounded server answers client errors itself, on each address of `localhost`.
    clientErrorHandler: () => undefined,
    loggerInstance: parts.log,
    // A logger for each request costs more than the few lines that name their request themselves.
    childLoggerFactory: (logger: FastifyBaseLogger) => logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_LIMIT_BYTES,
    genReqId: () => newId('req'),
    return503OnClosing: true,
    routerOptions: { maxParamLength: 200 },
    frameworkErrors: refuseAddress,
  });
  const app = await NestFactory.create<NestFastifyApplication>(parts.module, adapter, {
    bodyParser: false,
    logger: false,
  });
  const fastify = app.getHttpAdapter().getInstance();
  useStrictBodies(fastify);
  useBodyLimits(fastify, parts.bodyLimits);
  if (parts.leanRoutes !== undefined) useLeanRoutes(fastify, parts.leanRoutes.guard, parts.leanRoutes.of(app));
  fastify.addHook('onResponse', (request, reply, done) => {
    const { metrics } = parts;
    metrics.requestAnswered(request.method, request.routeOptions.url, reply.statusCode, reply.elapsedTime / 1000);
    done();
  });
  fastify.addHook('onSend', (request, reply, _payload, done) => {
    if (!reply.hasHeader('x-request-id')) reply.header('x-request-id', request.id);
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
  return app;
}

/** Answers an address that Fastify refuses before routing. Fastify's own answer would repeat the address. */
function refuseAddress(_error: Error, request: FastifyRequest, reply: FastifyReply): void {
  const problem = new Problem(
    'invalid_request',
    'the URL of the request is too long or has wrong percent encoding; correct it',
  );
  void refuse(reply, renderErrorAt(request.url, problem, request.id));
}

/**
 * Refuses a request without a route before its body is read: 405 with `Allow` when the address has other methods
 * (RFC 9110 §15.5.6), otherwise 404.
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
      const problem = new Problem('not_found', 'no route has this address; compare it with `/openapi.json`');
      return refuse(reply, renderProblem(problem, request.id));
    }
    const problem = new Problem(
      'method_not_allowed',
      `this address takes ${allow}, not ${request.method}; use one of those methods`,
    );
    return refuse(reply.header('allow', allow), renderErrorAt(request.url, problem, request.id));
  });
}

function refuse(reply: FastifyReply, { status, headers, body }: RenderedProblem): FastifyReply {
  return reply.code(status).headers(headers).send(body);
}
