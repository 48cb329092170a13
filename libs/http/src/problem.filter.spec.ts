import { Problem } from '@mayfly/kernel';
import {
  Body,
  Controller,
  Get,
  HttpException,
  Post,
  ServiceUnavailableException,
  StandardSchemaValidationPipe,
} from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pino from 'pino';
import { z } from 'zod';
import { useStrictBodies } from './body-parsers.js';
import { ProblemFilter } from './problem.filter.js';
import { validationProblem } from './validation-problem.js';

const Order = z.strictObject({ template: z.string(), parameters: z.record(z.string(), z.json()).optional() });

let thrown: unknown;

@Controller()
class Throwing {
  @Get('throw')
  throw(): never {
    throw thrown;
  }

  @Post('orders')
  order(@Body({ schema: Order }) order: z.infer<typeof Order>): unknown {
    return order;
  }

  @Post('bare')
  bare(@Body() body: unknown): unknown {
    return { body: body ?? null };
  }
}

@Controller('oauth')
class OAuth {
  @Get('throw')
  throw(): never {
    throw thrown;
  }

  @Post('form')
  form(@Body() form: unknown): unknown {
    return form;
  }
}

let app: NestFastifyApplication;
let logged: string[];

beforeAll(async () => {
  const logger = pino(
    { level: 'warn', serializers: { err: pino.stdSerializers.errWithCause } },
    { write: (line: string) => logged.push(line) },
  );
  const adapter = new FastifyAdapter({ loggerInstance: logger, bodyLimit: 65_536, genReqId: () => 'req_1' });
  const module = await Test.createTestingModule({ controllers: [Throwing, OAuth] }).compile();
  app = module.createNestApplication<NestFastifyApplication>(adapter, { bodyParser: false, logger: false });
  useStrictBodies(adapter.getInstance());
  app.useGlobalFilters(new ProblemFilter());
  app.useGlobalPipes(new StandardSchemaValidationPipe({ exceptionFactory: validationProblem }));
  await app.init();
  await app.getHttpAdapter().getInstance().ready();
});

beforeEach(() => {
  logged = [];
});

afterAll(() => app.close());

async function answer(error: unknown, path = '/throw') {
  thrown = error;
  const response = await app.inject({
    method: 'GET',
    url: `${path}?canary=query`,
    headers: { authorization: 'canary' },
  });
  return { status: response.statusCode, type: response.headers['content-type'], body: response.json<unknown>() };
}

async function post(payload: string | Buffer, contentType = 'application/json', path = '/orders') {
  const response = await app.inject({ method: 'POST', url: path, payload, headers: { 'content-type': contentType } });
  return { status: response.statusCode, body: response.json<Record<string, unknown>>() };
}

describe('ProblemFilter', () => {
  it('ProblemFilter answers a problem as the table says, with the request id', async () => {
    const { status, type, body } = await answer(new Problem('not_found', 'there is no task `tsk_1`'));
    expect({ status, type }).toEqual({ status: 404, type: 'application/problem+json; charset=utf-8' });
    expect(body).toMatchObject({
      type: 'urn:mayfly:problem:not_found',
      detail: 'there is no task `tsk_1`',
      instance: 'urn:mayfly:request:req_1',
    });
    expect(logged).toEqual([]);
  });

  it.each([
    [new HttpException('canary', 404), 404, 'not_found'],
    [new ServiceUnavailableException('canary'), 503, 'unavailable'],
    [new HttpException('canary', 418), 500, 'internal'],
    [
      Object.assign(new Error('canary'), { code: 'FST_ERR_CTP_BODY_TOO_LARGE', statusCode: 413 }),
      413,
      'payload_too_large',
    ],
    [Object.assign(new Error('canary'), { code: 'E_LIBRARY', statusCode: 404 }), 500, 'internal'],
    [new Error('canary'), 500, 'internal'],
    ['canary', 500, 'internal'],
    [undefined, 500, 'internal'],
  ])('ProblemFilter answers %p without its text', async (error, status, code) => {
    const { body } = await answer(error);
    expect(body).toMatchObject({ status, type: `urn:mayfly:problem:${code}` });
    expect(JSON.stringify(body)).not.toContain('canary');
  });

  it('ProblemFilter logs an unknown error under the request id, without headers or query', async () => {
    await answer(new Error('the index is gone'));
    const line = JSON.parse(logged.join('')) as Record<string, unknown>;
    expect(line).toMatchObject({
      level: 50,
      reqId: 'req_1',
      msg: 'unexpected error',
      err: { message: 'the index is gone' },
    });
    expect(logged.join('')).not.toContain('canary');
  });

  it('ProblemFilter logs a problem of ours with its cause', async () => {
    await answer(new Problem('unavailable', 'cannot read the quota', { cause: new Error('connection refused') }));
    expect(JSON.parse(logged.join(''))).toMatchObject({ level: 40, err: { cause: { message: 'connection refused' } } });
  });

  it('ProblemFilter answers an address that does not exist', async () => {
    const response = await app.inject({ method: 'GET', url: '/canary' });
    expect(response.json()).toMatchObject({
      type: 'urn:mayfly:problem:not_found',
      detail: 'no route has this address; compare it with `/openapi.json`',
    });
    expect(response.body).not.toContain('canary');
  });
});

it.each(['application/x-www-form-urlencoded', undefined])(
  'an OAuth endpoint takes an empty body for a form without fields (%s)',
  async (type) => {
    const headers = type === undefined ? {} : { 'content-type': type };
    const response = await app.inject({ method: 'POST', url: '/oauth/form', headers });
    expect([response.statusCode, response.json()]).toEqual([201, {}]);
  },
);

describe('a body', () => {
  it('a body is read when it is good', async () => {
    expect(await post('{"template":"a","parameters":{"region":"emea"}}')).toEqual({
      status: 201,
      body: { template: 'a', parameters: { region: 'emea' } },
    });
  });

  it.each([
    ['{"template":7}', 400, 'invalid_request', 'change `/template`: expected string, received number'],
    ['{"template":"a","tmplate":1}', 400, 'invalid_request', 'change `/tmplate`: unknown field; leave it out'],
    ['{"template":"a","template":"b"}', 400, 'invalid_request', 'an object has one field twice; keep one'],
    ['{"__proto__":{}}', 400, 'invalid_request', '`__proto__` is a reserved field name; use another'],
    ['{"template"', 400, 'invalid_request', 'the body is not valid JSON; correct it'],
    ['', 400, 'invalid_request', 'change the request: expected object, and it is missing'],
    [`"${'x'.repeat(65_536)}"`, 413, 'payload_too_large', 'the body is over 64 KiB; send less'],
  ])('a body is refused when it is %.40s', async (payload, status, code, detail) => {
    const answered = await post(payload);
    expect(answered.status).toBe(status);
    expect(answered.body).toMatchObject({ type: `urn:mayfly:problem:${code}`, detail });
    expect(logged).toEqual([]);
  });

  it.each([
    ['text/plain', '`text/plain` is not supported here; send `application/json`'],
    ['Text/HTML; charset=utf-8', '`text/html` is not supported here; send `application/json`'],
    [
      'application/x-www-form-urlencoded',
      '`application/x-www-form-urlencoded` is not supported here; send `application/json`',
    ],
    ['application/jsonp', '`application/jsonp` is not supported here; send `application/json`'],
    ['text/<script>', expect.stringContaining('send `application/json`')],
    ['nonsense', expect.stringContaining('send `application/json`')],
  ])('a body of the type %s is refused with the type to send', async (type, detail) => {
    expect(await post('template=a', type)).toMatchObject({
      status: 415,
      body: { type: 'urn:mayfly:problem:unsupported_media_type', detail },
    });
  });

  it('a body is refused without a type', async () => {
    const response = await app.inject({ method: 'POST', url: '/orders', payload: Buffer.from('{"template":"a"}') });
    expect({ status: response.statusCode, body: response.json<unknown>() }).toMatchObject({
      status: 415,
      body: { detail: 'the body has no `Content-Type`; send `application/json`' },
    });
  });

  it.each(['application/x-www-form-urlencoded', 'text/plain'])(
    'an empty body counts as no body, also as %s, which `curl -d ""` sends',
    async (type) => {
      expect(await post('', type, '/bare')).toEqual({ status: 201, body: { body: null } });
    },
  );

  it('a body may be absent when the route needs none', async () => {
    expect(await post('', 'application/json', '/bare')).toEqual({ status: 201, body: { body: null } });
  });
});

describe('the OAuth endpoints', () => {
  it('the OAuth endpoints answer in the form of RFC 6749', async () => {
    expect(await answer(new Problem('unauthenticated', 'send a token'), '/oauth/throw')).toEqual({
      status: 401,
      type: 'application/json; charset=utf-8',
      body: { error: 'invalid_client', error_description: 'send a token' },
    });
  });

  it('the OAuth endpoints hide the text of an unknown error', async () => {
    const { body } = await answer(new Error('canary'), '/oauth/throw');
    expect(body).toEqual({
      error: 'server_error',
      error_description: 'Mayfly failed to answer this request; give the operator the id in `instance`',
    });
  });

  it('the OAuth endpoints read a form, each field once', async () => {
    const type = 'application/x-www-form-urlencoded';
    expect(await post('token=a%20b&token_type_hint=x', type, '/oauth/form')).toEqual({
      status: 201,
      body: { token: 'a b', token_type_hint: 'x' },
    });
    expect(await post('token=a&token=b', type, '/oauth/form')).toMatchObject({
      status: 400,
      body: { error: 'invalid_request', error_description: 'the form has one field twice; keep one' },
    });
  });

  it('the OAuth endpoints refuse JSON, and say which type to send', async () => {
    expect(await post('{"token":"a"}', 'application/json', '/oauth/form')).toEqual({
      status: 415,
      body: {
        error: 'invalid_request',
        error_description: '`application/json` is not supported here; send `application/x-www-form-urlencoded`',
      },
    });
  });
});
