import { Problem } from '@mayfly/kernel';
import type { Precondition } from '@mayfly/persistence';
import { applyDecorators } from '@nestjs/common';
import { ApiHeader } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiProblems } from './api-problems.js';

type Headers = FastifyRequest['headers'];

/** Sends the strong entity tag of a revision (RFC 9110 §8.8.3). */
export function sendEtag(reply: FastifyReply, revision: number): void {
  reply.header('etag', etagOf(revision));
}

/** For creation: nothing of that name may be there. Throws `conflict`. */
export const mustBeNew: Precondition = (revision) => {
  if (revision !== undefined) throw new Problem('conflict', 'something of this name exists; change it with PUT');
};

/**
 * For change: `If-Match` must name the revision that is there (RFC 9110 §13.1.1). Throws `precondition_required` without
 * the header, and the precondition `precondition_failed` on a mismatch.
 */
export function mustMatch(headers: Headers): Precondition {
  const wanted = headers['if-match'];
  if (wanted === undefined) {
    throw new Problem('precondition_required', 'send `If-Match` with the `ETag` of what was read');
  }
  const tags = wanted.split(',').map((tag) => tag.trim());
  return (revision) => {
    if (revision !== undefined && (tags.includes('*') || tags.includes(etagOf(revision)))) return;
    throw new Problem('precondition_failed', 'it is not the revision that `If-Match` names; read it again');
  };
}

/** Whether a PUT may create and nothing else; it is then answered with 201 (RFC 9110 §9.3.4). */
export function isCreation(headers: Headers): boolean {
  return headers['if-none-match'] === '*';
}

/** For PUT, which creates with `If-None-Match: *` (RFC 9110 §13.1.2) and changes with `If-Match`. */
export function mustMatchOrBeNew(headers: Headers): Precondition {
  if (!isCreation(headers)) return mustMatch(headers);
  return (revision) => {
    if (revision !== undefined) throw new Problem('precondition_failed', 'something of this name exists');
  };
}

/** Documents `If-Match` of a change, and how a change is refused without it or with an older one. */
export function ApiIfMatch() {
  return applyDecorators(
    ApiHeader({ name: 'If-Match', required: true, description: 'the `ETag` of what was read', example: '"1"' }),
    ApiProblems(412, 428),
  );
}

/** Documents the two headers of a PUT, of which one is needed: `If-Match` of a change, `If-None-Match: *` of a creation. */
export function ApiIfMatchOrNew() {
  return applyDecorators(
    ApiHeader({
      name: 'If-Match',
      required: false,
      description: 'to replace: the `ETag` of what was read',
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
