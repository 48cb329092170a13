import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { answerOf, Broker } from './broker.js';

const CANARY = 'canary-secret';
const AGENT = {
  ...{ kind: 'Agent', id: 'agt_1', state: 'active', name: 'a', labels: {}, spec: {}, revision: 1, updatedBy: 'x' },
  ...{ createdAt: '2026-11-22T14:00:00Z', updatedAt: '2026-11-22T14:00:00Z' },
};

interface Asked {
  readonly request: IncomingMessage;
  readonly body: string;
}

let server: Server;
let asked: Asked[];
let answer: (response: ServerResponse) => unknown;
let url: string;

const json =
  (status: number, body: unknown, headers = {}) =>
  (response: ServerResponse) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));

beforeEach(async () => {
  [asked, answer] = [[], json(200, AGENT, { etag: '"1"' })];
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => {
      asked.push({ request, body });
      answer(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/under`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const broker = (token = `a.${CANARY}.c`) => new Broker({ url, token: { read: async () => token } });
const agentA = { params: { path: { name: 'a/b?' } } };

describe('a call', () => {
  it('a call goes to its address under the base URL, with the token and nothing that it does not need', async () => {
    const { body, etag } = await answerOf(broker().calls.GET('/agents/{name}', agentA));
    expect({ body, etag }).toEqual({ body: AGENT, etag: '"1"' });
    const [{ request }] = asked as [Asked];
    expect([request.method, request.url]).toEqual(['GET', '/under/agents/a%2Fb%3F']);
    expect(request.headers).toMatchObject({ accept: 'application/json', authorization: `Bearer a.${CANARY}.c` });
    expect(Object.keys(request.headers)).not.toContain('content-type');
  });

  it('a call sends a body as JSON with its length, and no body where it has none', async () => {
    answer = json(200, { issuer: 'x', ok: true, checks: [] });
    await broker().calls.POST('/issuers/{name}/test', { ...agentA, body: { token: 'grüße' } });
    const [{ request, body }] = asked as [Asked];
    expect(body).toBe('{"token":"grüße"}');
    expect(request.headers).toMatchObject({ 'content-type': 'application/json', 'content-length': '19' });
  });

  it('a call reads the token anew each time, and throws what reading it throws', async () => {
    let reads = 0;
    const token = { read: async () => `token-${String((reads += 1))}` };
    const { calls } = new Broker({ url, token });
    await calls.GET('/agents/{name}', agentA);
    await calls.GET('/agents/{name}', agentA);
    expect(asked.map(({ request }) => request.headers.authorization)).toEqual(['Bearer token-1', 'Bearer token-2']);
    const missing = new Broker({ url, token: { read: () => Promise.reject(new Error('no such file')) } });
    await expect(missing.calls.GET('/me')).rejects.toThrow('no such file');
  });

  it('a call takes an answer without a body, as of a deletion', async () => {
    answer = (response) => response.writeHead(204).end();
    const call = { params: { path: { name: 'a' }, header: { 'If-Match': '"1"' } } };
    expect((await answerOf(broker().calls.DELETE('/issuers/{name}', call))).body).toBeUndefined();
  });

  it('a call takes members that a later broker adds', async () => {
    answer = json(200, { ...AGENT, later: true });
    expect((await answerOf(broker().calls.GET('/agents/{name}', agentA))).body).toMatchObject({ later: true });
  });
});

describe('a call rejects', () => {
  const failure = (calls = broker().calls) => calls.GET('/agents/{name}', agentA).catch((error: unknown) => error);

  it('a call rejects with the problem that the broker answered', async () => {
    const document = { type: 'urn:mayfly:problem:request_in_flight', detail: 'wait', control: 'c', help: 'later' };
    answer = json(409, document, { 'content-type': 'application/problem+json', 'retry-after': '2' });
    const words = { code: 'request_in_flight', message: 'wait', control: 'c', help: 'later', retryAfterSeconds: 2 };
    expect(await failure()).toMatchObject({ name: 'BrokerProblem', status: 409, ...words });
  });

  it('a call rejects at a redirect and sends the token nowhere else', async () => {
    answer = (response) => response.writeHead(307, { location: `${url}/elsewhere` }).end();
    expect(await failure()).toMatchObject({ name: 'BrokerProblem', status: 307, code: '' });
    expect(asked).toHaveLength(1);
  });

  it.each<[string, (response: ServerResponse) => unknown]>([
    ['that is no JSON', (response) => response.end('<html>')],
    ['that is empty', (response) => response.end()],
    ['without a member', json(200, { ...AGENT, id: undefined, name: CANARY })],
    ['with a member of another type', json(200, { ...AGENT, revision: CANARY })],
    ['under a status that the operation does not have', json(202, { ...AGENT, name: CANARY })],
  ])('a call rejects at an answer %s and shows nothing of it', async (_what, given) => {
    answer = given;
    const error = await failure();
    expect(error).toMatchObject({ name: 'UnexpectedAnswer' });
    expect(String(error)).not.toContain(CANARY);
  });

  it('a call rejects when no answer comes in time', async () => {
    answer = () => undefined;
    const words = { name: 'BrokerUnreachable', message: `the broker at ${url} does not answer (ETIMEDOUT)` };
    expect(await failure(broker().within(50))).toMatchObject(words);
  });

  it('a call rejects when the connection breaks', async () => {
    answer = (response) => response.destroy();
    expect(await failure()).toMatchObject({ name: 'BrokerUnreachable', reason: 'ECONNRESET' });
  });

  it('a call rejects a token that cannot be sent, without showing it', async () => {
    const error = await failure(broker(`${CANARY}\r\nx-other: 1`).calls);
    expect(String(error)).toContain(
      'the bearer token has characters that a header cannot have; use the token as issued',
    );
    expect(String(error)).not.toContain(CANARY);
    expect(asked).toEqual([]);
  });
});
