import { describe, expect, it } from '@jest/globals';
import { Problem } from '@mayfly/kernel';
import Fastify from 'fastify';
import { createLogger } from './logging.js';
import { redactionOf } from './redaction.js';

function recording(level = 'info') {
  const lines: string[] = [];
  const logger = createLogger({ level, redact: redactionOf([]), destination: { write: (line) => lines.push(line) } });
  const logged = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return { logger, logged, text: () => lines.join('') };
}

const JWT = 'eyJhbGciOiJFZERTQSJ9.eyJjYW5hcnkiOjF9.canary-signature';
const URL_WITH_PASSWORD = 'postgresql://mayfly:canary@127.0.0.1/crm';

describe('the logger', () => {
  it('the logger writes one JSON line per call, with the time', () => {
    const { logger, logged } = recording();
    logger.info({ taskId: 'tsk_1' }, 'granted');
    expect(logged()).toEqual([{ level: 30, time: expect.any(String), taskId: 'tsk_1', msg: 'granted' }]);
    expect(new Date(logged()[0]!.time as string).getTime()).toBeGreaterThan(0);
  });

  it('the logger keeps below its level silent', () => {
    const { logger, logged } = recording('warn');
    logger.info('nothing');
    expect(logged()).toEqual([]);
  });

  it.each([
    [
      'a message',
      (log: ReturnType<typeof recording>['logger']) => {
        log.info(`connecting to ${URL_WITH_PASSWORD}`);
      },
    ],
    [
      'a format argument',
      (log: ReturnType<typeof recording>['logger']) => {
        log.info('token %s', JWT);
      },
    ],
    [
      'a member',
      (log: ReturnType<typeof recording>['logger']) => {
        log.info({ anything: JWT });
      },
    ],
    [
      'a deep member',
      (log: ReturnType<typeof recording>['logger']) => {
        log.info({ a: { b: [{ c: URL_WITH_PASSWORD }] } });
      },
    ],
    [
      'a member of a child',
      (log: ReturnType<typeof recording>['logger']) => {
        log.child({ connection: URL_WITH_PASSWORD }).info('x');
      },
    ],
    [
      'a member named password',
      (log: ReturnType<typeof recording>['logger']) => {
        log.info({ a: { password: 'canary' } });
      },
    ],
    [
      'headers',
      (log: ReturnType<typeof recording>['logger']) => {
        log.info({ headers: { 'x-api': 'canary' } });
      },
    ],
    [
      'a body',
      (log: ReturnType<typeof recording>['logger']) => {
        log.info({ request: { body: { purpose: 'canary' } } });
      },
    ],
    [
      'an error',
      (log: ReturnType<typeof recording>['logger']) => {
        log.error(new Error(`no route to ${URL_WITH_PASSWORD}`));
      },
    ],
    [
      'the cause of an error',
      (log: ReturnType<typeof recording>['logger']) => {
        log.error({ err: new Error('x', { cause: new Error(JWT) }) });
      },
    ],
    [
      'members of an error',
      (log: ReturnType<typeof recording>['logger']) => {
        log.error({
          err: Object.assign(new Error('x'), { parameters: ['canary'], detail: 'Key (password)=(canary)' }),
        });
      },
    ],
    [
      'a thrown string',
      (log: ReturnType<typeof recording>['logger']) => {
        log.error({ err: URL_WITH_PASSWORD });
      },
    ],
  ])('the logger hides a secret in %s', (_where, write) => {
    const { logger, logged, text } = recording();
    write(logger);
    expect(logged()).toHaveLength(1);
    expect(text()).not.toContain('canary');
  });

  it('the logger keeps what finds the fault: type, code, message, stack and cause', () => {
    const { logger, logged } = recording();
    const cause = Object.assign(new TypeError('refused'), { code: 'ECONNREFUSED' });
    logger.error({ err: new Error('cannot connect', { cause }) }, 'failed');
    expect(logged()[0]).toMatchObject({
      msg: 'failed',
      err: {
        type: 'Error',
        message: 'cannot connect',
        stack: expect.stringContaining('logging.spec'),
        cause: { code: 'ECONNREFUSED' },
      },
    });
  });

  it('the logger leaves out the stack of a problem, which is an answer, unless it is a fault of ours', () => {
    const { logger, logged } = recording();
    logger.warn({ err: new Problem('provider_rejected', 'the secret `env:X` cannot be read') });
    logger.error({ err: new Problem('internal', 'the rendered scope does not match the structure of the template') });
    expect(logged().map(({ err }) => err)).toEqual([
      { type: 'Problem', code: 'provider_rejected', message: 'provider_rejected: the secret `env:X` cannot be read' },
      expect.objectContaining({ code: 'internal', stack: expect.stringContaining('logging.spec') }),
    ]);
  });

  it('the logger follows a ring of causes no further than three', () => {
    const { logger, logged } = recording();
    const error = new Error('ring');
    error.cause = error;
    logger.error({ err: error });
    expect(logged()).toHaveLength(1);
  });

  it('the logger takes of a request its id, method and route, of a reply its status', async () => {
    const { logger, logged, text } = recording();
    const fastify = Fastify({ loggerInstance: logger, genReqId: () => 'req_1' });
    fastify.post('/tasks/:id', () => ({ secret: 'canary' }));
    await fastify.inject({
      method: 'POST',
      url: '/tasks/canary?token=canary',
      headers: { authorization: 'Bearer canary', 'x-other': 'canary' },
      payload: { purpose: 'canary' },
    });
    expect(logged()).toMatchObject([
      { reqId: 'req_1', req: { id: 'req_1', method: 'POST', route: '/tasks/:id' } },
      { reqId: 'req_1', res: { status: 200 } },
    ]);
    expect(text()).not.toContain('canary');
  });
});
