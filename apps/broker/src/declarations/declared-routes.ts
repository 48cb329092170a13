import type { DeclarationKind } from '@mayfly/declarations';
import { AnswersRevised, ApiIfMatch, ApiIfMatchOrNew, isCreation, type RevisedForm } from '@mayfly/http';
import { NameSchema } from '@mayfly/kernel';
import { applyDecorators, HttpCode, Param } from '@nestjs/common';
import { ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import { ApiChangeRequested } from '../changes/changes.schemas.js';
import { ApiDocument } from './declared.view.js';

/** The answers of one declared kind. `Shown` is what the methods of its controller return. */
export interface DeclaredAnswers<Shown> {
  readonly kind: DeclarationKind;
  /** the address of the list, without a slash */
  readonly path: string;
  readonly form: RevisedForm<Shown> & {
    readonly name: (shown: Shown) => string;
    /** Returns the address of the change that waits instead; undefined when the answer is the document. */
    readonly waiting?: (shown: Shown) => string | undefined;
  };
  /** the schema of `form.view` */
  readonly view: z.ZodType;
  readonly page: z.ZodType;
}

/** Injects the name of the address, `:name`. */
export const Name = () => Param('name', { schema: NameSchema });

/**
 * Returns the decorators for the routes of one declared kind: one decorator a route, which describes the route in the
 * OpenAPI document and completes its answer. Method, address and permission stay at the route.
 */
export function declaredRoutes<Shown>({ kind, path, form, view, page }: DeclaredAnswers<Shown>) {
  const accepted = () => (form.waiting === undefined ? [] : [ApiChangeRequested()]);
  const ok = () => ApiOkResponse({ standardSchema: view });
  const created = () => ApiCreatedResponse({ standardSchema: view });
  return {
    /** For a method that returns one page of the list. */
    list: (summary: string) => applyDecorators(ApiOperation({ summary }), ApiOkResponse({ standardSchema: page })),
    /** For a method that returns one document. The answer is its view, with the `ETag` of its revision. */
    read: (summary: string) => applyDecorators(ApiOperation({ summary }), ok(), AnswersRevised(form)),
    /**
     * For a method that creates a document from the body. The answer is as for `read`, with status 201 and `Location`.
     */
    create: (summary: string) =>
      applyDecorators(
        ...[ApiOperation({ summary }), ApiDocument(kind), created(), ...accepted()],
        AnswersRevised(form, (reply, shown) => {
          if (!isWaiting(form, reply, shown)) reply.header('location', `/${path}/${form.name(shown)}`);
        }),
      ),
    /**
     * For a PUT with `If-Match` or `If-None-Match: *`. The answer is as for `read`; a PUT that may only create gets
     * 201.
     */
    put: (summary: string) =>
      applyDecorators(
        ...[ApiOperation({ summary }), ApiDocument(kind), ApiIfMatchOrNew(), ok(), created(), ...accepted()],
        AnswersRevised(form, (reply, shown, { headers }) => {
          if (!isWaiting(form, reply, shown) && isCreation(headers)) reply.code(201);
        }),
      ),
    /** For a method that changes a document with `If-Match`. The answer is as for `read`. */
    edit: (summary: string) =>
      applyDecorators(ApiOperation({ summary }), ApiDocument(kind), ApiIfMatch(), ok(), AnswersRevised(form)),
    /** For a method that changes the state of a document. The answer is as for `read`. */
    step: (summary: string) => applyDecorators(HttpCode(200), ApiOperation({ summary }), ok(), AnswersRevised(form)),
    /** For a step that lifts a stop: as `step`, or 202 with the change that waits for a second person. */
    lift: (summary: string) =>
      applyDecorators(
        ...[HttpCode(200), ApiOperation({ summary }), ok(), ...accepted()],
        AnswersRevised(form, (reply, shown) => void isWaiting(form, reply, shown)),
      ),
    /** For a method that deletes a document with `If-Match`. The answer has status 204 and no body. */
    remove: (summary: string, description: string) =>
      applyDecorators(HttpCode(204), ApiOperation({ summary }), ApiIfMatch(), ApiNoContentResponse({ description })),
  };
}

/** Announces the change that waits, when the answer is one: status 202 and its address. */
function isWaiting<Shown>({ waiting }: DeclaredAnswers<Shown>['form'], reply: FastifyReply, shown: Shown): boolean {
  const address = waiting?.(shown);
  if (address !== undefined) reply.code(202).header('location', address);
  return address !== undefined;
}
