import type { JsonObject } from '@mayfly/kernel';
import { type CallHandler, type ExecutionContext, type NestInterceptor, UseInterceptors } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { map, type Observable } from 'rxjs';
import { sendEtag } from './preconditions.js';

/** The form in which routes answer with a thing that has revisions. */
export interface RevisedForm<Thing> {
  readonly revision: (thing: Thing) => number;
  readonly view: (thing: Thing) => JsonObject;
}

/** Sets what an answer has beside its `ETag`, such as `Location`. */
export type Announcement<Thing> = (reply: FastifyReply, thing: Thing, request: FastifyRequest) => void;

/** Answers with the view of the thing that the method returns, and with the `ETag` of its revision. */
export function AnswersRevised<Thing>(form: RevisedForm<Thing>, announce?: Announcement<Thing>) {
  return UseInterceptors(new RevisedAnswer(form, announce));
}

class RevisedAnswer<Thing> implements NestInterceptor<Thing, JsonObject> {
  constructor(
    private readonly form: RevisedForm<Thing>,
    private readonly announce?: Announcement<Thing>,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler<Thing>): Observable<JsonObject> {
    const http = context.switchToHttp();
    return next.handle().pipe(
      map((thing) => {
        const reply = http.getResponse<FastifyReply>();
        this.announce?.(reply, thing, http.getRequest<FastifyRequest>());
        sendEtag(reply, this.form.revision(thing));
        return this.form.view(thing);
      }),
    );
  }
}
