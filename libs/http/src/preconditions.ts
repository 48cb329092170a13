import type { Precondition } from '@mayfly/declarations';
import { Problem } from '@mayfly/kernel';
import { applyDecorators } from '@nestjs/common';
import { ApiHeader } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiProblems } from './api-problems.js';

/** The headers of a request, by their lower-case names. */
export type RequestHeaders = FastifyRequest['headers'];

/** Sends the strong entity tag of a revision (RFC 9110 §8.8.3). */
export function sendEtag(reply: FastifyReply, revision: number): void {
  reply.header('etag', etagOf(revision));
}

/**
 * Returns the precondition of a change: `If-Match` must name the stored revision (RFC 9110 §13.1.1). Throws
 * `precondition_required` without the header.
 */
export function mustMatch(headers: RequestHeaders): Precondition {
  const wanted = headers['if-match'];
  if (wanted === undefined) {
    throw new Problem(
      'precondition_required',
      'the request has no `If-Match`; send it with the `ETag` of the version that you read',
    );
  }
  const tags = wanted.split(',').map((tag) => tag.trim());
  return { must: 'match', revisions: tags.includes('*') ? 'any' : tags.flatMap(revisionsIn) };
}

/** True for a PUT that may only create; it is answered with 201 (RFC 9110 §9.3.4). */
export function isCreation(headers: RequestHeaders): boolean {
  return headers['if-none-match'] === '*';
}

/** Returns the precondition of a PUT: `If-None-Match: *` creates (RFC 9110 §13.1.2), `If-Match` changes. */
export function mustMatchOrBeNew(headers: RequestHeaders): Precondition {
  return isCreation(headers) ? { must: 'be-new', otherwise: 'precondition_failed' } : mustMatch(headers);
}

/** Adds the required `If-Match` header and its refusals to the OpenAPI document. */
export function ApiIfMatch() {
  return applyDecorators(
    ApiHeader({ name: 'If-Match', required: true, description: 'the `ETag` that was read', example: '"1"' }),
    ApiProblems(412, 428),
  );
}

/** Adds the two headers of a PUT, one of which is required, to the OpenAPI document. */
export function ApiIfMatchOrNew() {
  return applyDecorators(
    ApiHeader({
      name: 'If-Match',
      required: false,
      description: 'to replace: the `ETag` that was read',
      example: '"1"',
    }),
    ApiHeader({
      name: 'If-None-Match',
      required: false,
      description: 'to create: `*`',
      schema: { const: '*' } as object,
    }),
    ApiProblems(412, 428),
  );
}

function etagOf(revision: number): string {
  return `"${String(revision)}"`;
}

/** Returns the revision that a strong entity tag names; a tag of another form names none. */
function revisionsIn(tag: string): number[] {
  const digits = /^"([1-9]\d{0,14})"$/.exec(tag)?.[1];
  return digits === undefined ? [] : [Number(digits)];
}
