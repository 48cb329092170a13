import { refusedIdentity } from '@mayfly/identity';
import { Problem, type ProblemCode } from '@mayfly/kernel';
import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { renderErrorAt } from './problem-table.js';

/**
 * Our code and text for each status of the framework. The framework's own texts are never shown, since some repeat the
 * request.
 */
const BY_STATUS: ReadonlyMap<number, readonly [ProblemCode, string]> = new Map([
  [400, ['invalid_request', 'the request is not valid HTTP; correct the client']],
  [401, ['unauthenticated', 'the request has no bearer token; send one']],
  [403, ['forbidden', 'the caller lacks the permission for this route; use another identity']],
  [404, ['not_found', 'no route has this address; compare it with `/openapi.json`']],
  [405, ['method_not_allowed', 'this route has no such method; use one that `Allow` names']],
  [414, ['invalid_request', 'the URL of the request is too long; shorten it']],
  [
    415,
    ['unsupported_media_type', 'this `Content-Type` is not supported; send `application/json`, or a form at `/oauth/`'],
  ],
  [431, ['headers_too_large', 'the headers are too large; send less']],
  [503, ['unavailable', 'the service is starting or stopping; try again']],
]);

/**
 * Returns the `Problem` for an error: a `Problem` itself, or our code for a refusal of the framework, by its status.
 * Returns undefined for every other error, so that the caller learns nothing about it.
 */
function problemOf(error: unknown, bodyLimit: number | undefined): Problem | undefined {
  if (error instanceof Problem) return error;
  if (statusOf(error) === 413) return new Problem('payload_too_large', tooLarge(bodyLimit), { cause: error });
  const known = BY_STATUS.get(statusOf(error) ?? 0);
  return known === undefined ? undefined : new Problem(...known, { cause: error });
}

function tooLarge(bodyLimit: number | undefined): string {
  if (bodyLimit === undefined) return 'the body is too large; send less';
  return `the body is over ${String(Math.floor(bodyLimit / 1024))} KiB; send less`;
}

/**
 * Nest's exceptions have `getStatus` and `getResponse`; Fastify's errors have a code `FST_…`. Other errors with a
 * `statusCode` come from neither.
 */
function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  if (isOfNest(error)) return error.getStatus();
  if (!('code' in error) || !('statusCode' in error)) return undefined;
  const ofFastify = typeof error.code === 'string' && error.code.startsWith('FST_');
  return ofFastify && typeof error.statusCode === 'number' ? error.statusCode : undefined;
}

function isOfNest(error: object): error is { getStatus(): number } {
  return ['getStatus', 'getResponse'].every((name) => typeof Reflect.get(error, name) === 'function');
}

/**
 * Answers every error of every route: at OAuth endpoints in the form of RFC 6749, elsewhere as a problem document. Logs
 * errors of the service under the request's id.
 */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    answerError(error, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
  }
}

/** Answers one error, as `ProblemFilter` does. */
export function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const problem = problemOf(error, request.routeOptions.bodyLimit);
  const { status, headers, body } = renderErrorAt(request.url, problem ?? error, request.id);
  log(request, problem, error, status);
  if (!reply.sent) void reply.code(status).headers(headers).send(body);
}

/**
 * The problems that were logged. One problem that answers several requests, such as a failed readiness check, is logged
 * once.
 */
const logged = new WeakSet<Problem>();

/**
 * Logs the error itself, which the logger redacts; never the body, never headers. Skips a refused identity: its refusal
 * is logged elsewhere within a limit, since anybody can cause any number of them.
 */
function log(request: FastifyRequest, problem: Problem | undefined, error: unknown, status: number): void {
  if (problem === undefined) request.log.error({ err: error, reqId: request.id }, 'unexpected error');
  else if (status >= 500 && !logged.has(problem) && refusedIdentity(problem) === undefined) {
    logged.add(problem);
    request.log.warn({ err: problem, reqId: request.id }, 'request failed');
  }
}
