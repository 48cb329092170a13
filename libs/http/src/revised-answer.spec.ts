import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { INTERCEPTORS_METADATA } from '@nestjs/common/constants.js';
import { lastValueFrom, of, throwError } from 'rxjs';
import { AnswersRevised, type Announcement } from './revised-answer.js';

interface Thing {
  readonly name: string;
  readonly revision: number;
}
const form = { revision: ({ revision }: Thing) => revision, view: ({ name }: Thing) => ({ name }) };
const thing: Thing = { name: 'crm', revision: 7 };

/** Answers as a route with the decorator would, and returns the body and the headers. */
async function answer(next: CallHandler<Thing>, announce?: Announcement<Thing>) {
  const headers: Record<string, unknown> = {};
  const method = (): undefined => undefined;
  AnswersRevised(form, announce)({}, 'read', { value: method });
  const [interceptor] = Reflect.getMetadata(INTERCEPTORS_METADATA, method) as [NestInterceptor<Thing, object>];
  const reply = { header: (name: string, value: unknown) => (headers[name] = value) };
  const http = { getRequest: () => ({ url: '/things' }), getResponse: () => reply };
  const context = { switchToHttp: () => http } as unknown as ExecutionContext;
  return { body: await lastValueFrom(await interceptor.intercept(context, next)), headers };
}

describe('an answer with a thing that has revisions', () => {
  it('a revised answer has the view of the thing, and the strong entity tag of its revision', async () => {
    await expect(answer({ handle: () => of(thing) })).resolves.toEqual({
      body: { name: 'crm' },
      headers: { etag: '"7"' },
    });
  });

  it('a revised answer has the headers of the route beside the tag', async () => {
    const announced = await answer({ handle: () => of(thing) }, (reply, { name }, { url }) => {
      void reply.header('location', `${url}/${name}`);
    });
    expect(announced.headers).toEqual({ location: '/things/crm', etag: '"7"' });
  });

  it('rejects with the problem of the method, and announces nothing', async () => {
    const refused = answer({ handle: () => throwError(() => new Error('no')) }, () => {
      throw new Error('announced');
    });
    await expect(refused).rejects.toThrow('no');
  });
});
