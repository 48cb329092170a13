import type { JsonObject } from '@mayfly/kernel';
import { type CallHandler, type ExecutionContext, type NestInterceptor, UseInterceptors } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { map, type Observable } from 'rxjs';
import { sendEtag } from './preconditions.js';

/** The form of answers with a stored document that counts its revisions, such as an agent or a template. */
export interface RevisedForm<Shown> {
  /** Returns the revision that `ETag` and `If-Match` name; undefined for an answer without one. */
  readonly revision: (shown: Shown) => number | undefined;
  /** Returns the body of the answer. */
  readonly view: (shown: Shown) => JsonObject;
}

/** Sets the status or headers that an answer has besides its `ETag`, such as `Location`. */
export type Announcement<Shown> = (reply: FastifyReply, shown: Shown, request: FastifyRequest) => void;

/** Makes the answer of a route from the document that its method returns: its view, and the `ETag` of its revision. */
export function AnswersRevised<Shown>(form: RevisedForm<Shown>, announce?: Announcement<Shown>) {
  return UseInterceptors(new RevisedAnswer(form, announce));
}

class RevisedAnswer<Shown> implements NestInterceptor<Shown, JsonObject> {
  constructor(
    private readonly form: RevisedForm<Shown>,
    private readonly announce?: Announcement<Shown>,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler<Shown>): Observable<JsonObject> {
    const http = context.switchToHttp();
    return next.handle().pipe(
      map((shown) => {
        const reply = http.getResponse<FastifyReply>();
        this.announce?.(reply, shown, http.getRequest<FastifyRequest>());
        const revision = this.form.revision(shown);
        if (revision !== undefined) sendEtag(reply, revision);
        return this.form.view(shown);
      }),
    );
  }
}
