import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Broker, BrokerUnreachable, systemTimer, type Timer } from '@mayfly/client';
import { taskAnswer } from './task.fixture.js';
import { TasksClient } from './tasks.client.js';

const TASK = taskAnswer();
const REQUEST = { template: 't', parameters: {}, purpose: 'p' };
/** A timer whose waits end at once and move its clock. */
const hasty = (): Timer => {
  let waited = 0;
  return { now: () => waited, wait: async (milliseconds) => void (waited += milliseconds) };
};

type Answer = (response: ServerResponse) => void;
const json =
  (status: number, body: unknown, headers = {}): Answer =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  };
const problem = (status: number, code: string, headers = {}) =>
  json(status, { type: `urn:mayfly:problem:${code}`, detail: code }, headers);
const cut: Answer = (response) => response.destroy();

let server: Server;
let asked: IncomingMessage[];
let answers: Answer[];
let url: string;
beforeEach(async () => {
  [asked, answers] = [[], []];
  server = createServer((request, response) => {
    asked.push(request);
    (answers.shift() ?? json(request.url === '/tasks' ? 201 : 200, TASK))(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const client = (timer = hasty()) => new TasksClient(new Broker({ url, token: { read: async () => 'a.b.c' } }), timer);

describe('asking for a task', () => {
  it('the request for a task is one task however often the connection breaks: the key stays', async () => {
    answers = [
      cut,
      problem(409, 'request_in_flight', { 'retry-after': '1' }),
      problem(503, 'unavailable'),
      json(502, ''),
    ];
    expect((await client().request(REQUEST)).task.id).toBe('tsk_1');
    expect(asked).toHaveLength(5);
    expect(new Set(asked.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
    await client().request(REQUEST);
    expect(new Set(asked.map(({ headers }) => headers['idempotency-key'])).size).toBe(2);
  });

  it.each([
    [403, 'policy_denied'],
    [429, 'quota_exceeded'],
    [502, 'provider_rejected'],
    [503, 'provider_unavailable'],
  ])('the request for a task is not repeated after %s %s', async (status, code) => {
    answers = [problem(status, code)];
    await expect(client().request(REQUEST)).rejects.toMatchObject({ status, code });
    expect(asked).toHaveLength(1);
  });

  it('the request for a task is given up in the end, and at once without patience', async () => {
    answers = Array.from({ length: 50 }, () => cut);
    await expect(client().request(REQUEST)).rejects.toThrow('does not answer');
    expect(asked.length).toBeGreaterThan(4);
    asked = [];
    await expect(client(systemTimer).request(REQUEST, { signal: AbortSignal.abort() })).rejects.toThrow(
      'does not answer',
    );
    expect(asked).toHaveLength(1);
  });

  it('the request for a task does not take a token anywhere else: redirects are not followed', async () => {
    answers = [json(307, {}, { location: `${url}/elsewhere` })];
    await expect(client().request(REQUEST)).rejects.toMatchObject({ status: 307, code: '' });
    expect(asked.map((request) => request.url)).toEqual(['/tasks']);
  });

  it('the request for a task refuses an answer that is not a task, and shows nothing of it', async () => {
    answers = [json(201, { ...TASK, credentials: [{ secret: 'canary' }] })];
    const attempt = client().request(REQUEST);
    await expect(attempt).rejects.toThrow('does not have the form of an answer of a broker at `credentials.0.leaseId`');
    await expect(attempt).rejects.not.toThrow(/canary/);
  });
});

describe('taking up a task', () => {
  it('the call that takes a task up is one call however often the connection breaks: the key stays', async () => {
    answers = [cut, problem(503, 'unavailable'), json(201, TASK)];
    expect((await client().accept('tsk_1')).task.id).toBe('tsk_1');
    expect(asked.map(({ url: path }) => path)).toEqual(Array.from({ length: 3 }, () => '/tasks/tsk_1/accept'));
    expect(new Set(asked.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
  });
});

describe('ending a task', () => {
  it('the call that ends a task is repeated until it is answered', async () => {
    answers = [cut, problem(503, 'unavailable'), problem(500, 'internal')];
    await client().end('tsk_1');
    await client().end('tsk_1', 'exit code 7');
    expect(asked.map((request) => request.url)).toEqual([
      ...Array<string>(4).fill('/tasks/tsk_1/complete'),
      '/tasks/tsk_1/fail',
    ]);
  });

  it('the call that ends a task waits in all attempts together for no longer than it was given', async () => {
    const waited: number[] = [];
    const silent = {
      within: (timeoutMs: number) => {
        waited.push(timeoutMs);
        return { POST: () => Promise.reject(new BrokerUnreachable(url, 'ECONNRESET')) };
      },
    } as unknown as Broker;
    await expect(new TasksClient(silent, hasty()).end('tsk_1', undefined, 1_000)).rejects.toThrow('does not answer');
    expect(waited).toEqual([1_000, 750, 250]);
  });

  it('the call that ends a task is not repeated where the answer is no', async () => {
    answers = [problem(404, 'not_found')];
    await expect(client().end('tsk_1')).rejects.toMatchObject({ status: 404 });
    expect(asked).toHaveLength(1);
  });
});
