import { refusedIdentity } from '@mayfly/identity';
import { Problem, type ProblemCode } from '@mayfly/kernel';
import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { renderErrorAt } from './problem-table.js';

/** What a status of the framework means here. Its own texts are never shown: some repeat the request. */
const BY_STATUS: ReadonlyMap<number, readonly [ProblemCode, string]> = new Map([
  [400, ['invalid_request', 'the request is not valid HTTP for this service']],
  [401, ['unauthenticated', 'send a bearer token']],
  [403, ['forbidden', 'this is not permitted']],
  [404, ['not_found', 'there is nothing at this address']],
  [405, ['method_not_allowed', 'this address does not take that method']],
  [414, ['invalid_request', 'the address is too long']],
  [415, ['unsupported_media_type', 'this `Content-Type` is not read; send `application/json`, or a form at `/oauth/`']],
  [431, ['headers_too_large', 'the headers are too large']],
  [503, ['unavailable', 'the service is not ready, or is closing']],
]);

/**
 * The problem that an error comes to at the edge: a `Problem` stays what it is, the framework's refusals are given our
 * codes by their status, and everything else is undefined, for the caller to learn nothing about.
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

/** Nest's exceptions have `getStatus`, Fastify's own errors a code `FST_…` (others with a `statusCode` are not theirs). */
function statusOf(error: unknown): number | undefined {
  if (error instanceof HttpException) return error.getStatus();
  if (!(error instanceof Error) || !('code' in error) || !('statusCode' in error)) return undefined;
  const ofFastify = typeof error.code === 'string' && error.code.startsWith('FST_');
  return ofFastify && typeof error.statusCode === 'number' ? error.statusCode : undefined;
}

/**
 * Answers every error of every route, as a problem document or, at the OAuth endpoints, in the form of RFC 6749, and logs
 * those that are our fault under the request's id.
 */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    const problem = problemOf(error, request.routeOptions.bodyLimit);
    const { status, headers, body } = renderErrorAt(request.url, problem ?? error, request.id);
    log(request, problem, error, status);
    if (reply.sent) return;
    void reply.code(status).headers(headers).send(body);
  }
}

/** Problems that were logged: one that answers several requests, as the readiness does, is one line. */
const logged = new WeakSet<Problem>();

/**
 * Never the body, never headers: the error itself, which the logger redacts. A refused identity has its line already, from
 * where such lines are bounded: anybody can have any number of them.
 */
function log(request: FastifyRequest, problem: Problem | undefined, error: unknown, status: number): void {
  if (problem === undefined) request.log.error({ err: error }, 'unexpected error');
  else if (status >= 500 && !logged.has(problem) && refusedIdentity(problem) === undefined) {
    logged.add(problem);
    request.log.warn({ err: problem }, 'request failed');
  }
}
