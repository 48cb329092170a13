import type { DeclarationKind } from '@mayfly/declarations';
import { AnswersRevised, ApiIfMatch, ApiIfMatchOrNew, isCreation, type RevisedForm } from '@mayfly/http';
import { NameSchema } from '@mayfly/kernel';
import { applyDecorators, HttpCode, Param } from '@nestjs/common';
import { ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import type { z } from 'zod';
import { ApiDocument } from './declared.view.js';

/** The answers of one declared kind. */
export interface DeclaredAnswers<Thing> {
  readonly kind: DeclarationKind;
  /** the address of the list, without a slash */
  readonly path: string;
  readonly form: RevisedForm<Thing> & { readonly name: (thing: Thing) => string };
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
export function declaredRoutes<Thing>({ kind, path, form, view, page }: DeclaredAnswers<Thing>) {
  const ok = () => ApiOkResponse({ standardSchema: view });
  const created = () => ApiCreatedResponse({ standardSchema: view });
  return {
    /** Answers with a page of the list. */
    list: (summary: string) => applyDecorators(ApiOperation({ summary }), ApiOkResponse({ standardSchema: page })),
    /** Answers with the thing that the method returns. */
    read: (summary: string) => applyDecorators(ApiOperation({ summary }), ok(), AnswersRevised(form)),
    /** Takes a document; answers with the thing and its `Location`. */
    create: (summary: string) =>
      applyDecorators(
        ...[ApiOperation({ summary }), ApiDocument(kind), created()],
        AnswersRevised(form, (reply, thing) => {
          reply.header('location', `/${path}/${form.name(thing)}`);
        }),
      ),
    /** Takes a document with `If-Match` or `If-None-Match: *`; answers with 201 if it may only create. */
    put: (summary: string) =>
      applyDecorators(
        ...[ApiOperation({ summary }), ApiDocument(kind), ApiIfMatchOrNew(), ok(), created()],
        AnswersRevised(form, (reply, _thing, { headers }) => {
          if (isCreation(headers)) reply.code(201);
        }),
      ),
    /** Takes a document with `If-Match`; answers with the thing. */
    edit: (summary: string) =>
      applyDecorators(ApiOperation({ summary }), ApiDocument(kind), ApiIfMatch(), ok(), AnswersRevised(form)),
    /** Takes a step of the life cycle; answers with the thing. */
    step: (summary: string) => applyDecorators(HttpCode(200), ApiOperation({ summary }), ok(), AnswersRevised(form)),
    /** Deletes with `If-Match`; answers with 204. */
    remove: (summary: string, description: string) =>
      applyDecorators(HttpCode(204), ApiOperation({ summary }), ApiIfMatch(), ApiNoContentResponse({ description })),
  };
}
