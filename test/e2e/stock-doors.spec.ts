import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '@mayfly/kernel';
import { startTestBroker, type TestBroker } from '../support/broker.js';
import { agentDocument, connectionDocument, templateDocument, yamlOf } from '../support/documents.js';
import {
  type Gateway,
  GATEWAY_ABSENCE,
  type GatewayKind,
  startGateway,
  startUpstream,
  type Upstream,
} from '../support/gateways.js';

const AUDIENCE = 'https://cases.example';
const KINDS: readonly GatewayKind[] = ['nginx', 'envoy'];

const cases = connectionDocument('cases-api', {
  provider: 'signed-token',
  config: { audience: AUDIENCE, resourceServers: [{ issuer: 'development', subject: 'edge' }] },
  routes: [
    { operation: 'cases.read', methods: ['GET'], path: '/cases/{case}', query: ['expand'] },
    { operation: 'cases.note', methods: ['POST'], path: '/cases/{case}/notes' },
    { operation: 'cases.delete', methods: ['DELETE'], path: '/cases/{case}' },
  ],
});
const template = (name: string, quota: JsonObject = {}) =>
  templateDocument(name, {
    quota: { tasksPerMinute: 1000, concurrentTasks: 1000, ...quota },
    credentials: [
      {
        ...{ name: 'api', provider: 'signed-token', connection: 'cases-api' },
        scope: { audience: AUDIENCE, operations: ['cases.read', 'cases.note'] },
      },
    ],
  });

let mayfly: TestBroker;
let upstream: Upstream;
beforeAll(async () => {
  upstream = await startUpstream();
  mayfly = await startTestBroker({
    documents: yamlOf(agentDocument('support-agent'), cases, template('cases'), template('three', { uses: 3 })),
  });
});
afterAll(async () => {
  upstream.stop();
  await mayfly.stop();
});
beforeEach(() => {
  upstream.received.length = 0;
});

interface Task {
  readonly id: string;
  readonly taskToken: string;
  readonly accessToken: string;
}

async function grant(name: string): Promise<Task> {
  const token = mayfly.agentToken('support-agent');
  const { status, body } = await mayfly.send('POST /tasks', {
    token,
    body: { template: name, purpose: 'ticket 4711' },
  });
  expect(status).toBe(201);
  const { id, taskToken, credentials } = body as unknown as {
    readonly id: string;
    readonly taskToken: { readonly value: string };
    readonly credentials: [{ readonly secret: { readonly token: string } }];
  };
  return { id, taskToken: taskToken.value, accessToken: credentials[0].secret.token };
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

interface Call {
  readonly method?: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Sends a path as it is; `fetch` would mend it first. */
function send({ url }: Gateway, path: string, { method = 'GET', token, headers = {}, body }: Call): Promise<Answer> {
  const { port } = new URL(url);
  const own = { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers };
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, method, path, headers: own, agent: false }, (response) => {
      const { statusCode = 0 } = response;
      text(response).then((all) => {
        resolve({ status: statusCode, headers: response.headers, body: all });
      }, reject);
    });
    request.on('error', reject).end(body);
  });
}

/** Sends bytes that no HTTP client would send. Returns the status, or 0 when the connection closes without an answer. */
function sendRaw({ url }: Gateway, line: string, token: string): Promise<number> {
  const { port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), '127.0.0.1', () => {
      socket.write(`${line}\r\nhost: cases.example\r\nauthorization: Bearer ${token}\r\nconnection: close\r\n\r\n`);
    });
    text(socket).then(
      (all) => {
        resolve(Number(/^HTTP\/1\.[01] (\d{3})/.exec(all)?.[1] ?? 0));
      },
      () => {
        resolve(0);
      },
    );
  });
}

/** Paths that servers read in different ways. */
const HOSTILE = [
  ...['/cases/../cases/17', '/cases/./17', '/cases/%2e%2e/cases/17', '/x/../cases/17', '/cases/17/..', '/cases//17'],
  ...['//cases/17', '/cases/17/', '/cases/17%2fnotes', '/cases%2f17', '/cases/17%5c', '/cases/17;a=b', '/cases/17%00'],
  ...['/cases/17%3fexpand', '/cases/17%23', '/cases/%2517', '/cases/%c0%ae', '/cases/17?expand=1&expand=2'],
  ...['/cases/17?other=1', '/cases/17?expand=1;other=2', '/CASES/17', '/cases'],
];

for (const kind of KINDS) {
  const absence = GATEWAY_ABSENCE[kind];
  if (absence !== undefined) console.warn(`SKIPPED SUITE ${kind} asks Mayfly about each request: ${absence}`);
  (absence === undefined ? describe : describe.skip)(`${kind} that asks Mayfly about each request`, () => {
    let gateway: Gateway;
    beforeAll(async () => {
      const ports = { mayfly: Number(new URL(mayfly.url).port), upstream: upstream.port };
      gateway = await startGateway(kind, ports, mayfly.agentToken('edge'));
    });
    afterAll(() => gateway.stop());

    it(`${kind} lets pass what the task allows, for both tokens of the task, and as it came`, async () => {
      const { taskToken, accessToken } = await grant('cases');
      const read = await send(gateway, '/cases/17?expand=notes', { token: taskToken });
      expect([read.status, read.body]).toEqual([200, 'served']);
      const note = { method: 'POST', token: accessToken, body: '{"text":"é"}', headers: { 'content-type': 'text/x' } };
      expect((await send(gateway, '/cases/caf%C3%A9/notes', note)).status).toBe(200);
      expect(upstream.received.map(({ method, url, body }) => [method, url, body])).toEqual([
        ['GET', '/cases/17?expand=notes', ''],
        ['POST', '/cases/caf%C3%A9/notes', '{"text":"é"}'],
      ]);
      for (const { headers } of upstream.received) expect(headers).not.toHaveProperty('x-mayfly-gateway');
    });

    it(`${kind} refuses what the task does not allow: 403 with the control, and the upstream sees nothing`, async () => {
      const { taskToken } = await grant('cases');
      for (const [method, path] of [
        ['DELETE', '/cases/17'],
        ['GET', '/cases/17/notes'],
        ['GET', '/admin'],
      ] as const) {
        const { status, headers } = await send(gateway, path, { method, token: taskToken });
        expect([path, status, headers['x-mayfly-control']]).toEqual([path, 403, 'operation-scope']);
        expect(headers['x-mayfly-decision']).toMatch(/^dec_/);
      }
      expect(upstream.received).toEqual([]);
    });

    it(`${kind} refuses a request without a token, with a wrong one, and with that of a task that ended`, async () => {
      const { id, taskToken, accessToken } = await grant('cases');
      expect((await send(gateway, '/cases/17', {})).status).toBe(401);
      const wrong = await send(gateway, '/cases/17', { token: 'mft_wrong' });
      expect([wrong.status, wrong.headers['x-mayfly-control']]).toEqual([403, 'task-token']);
      await mayfly.send(`POST /tasks/${id}/complete`, { token: mayfly.agentToken('support-agent') });
      for (const token of [taskToken, accessToken]) {
        const { status, headers } = await send(gateway, '/cases/17', { token });
        expect([status, headers['x-mayfly-control']]).toEqual([403, 'task-token']);
      }
      expect(upstream.received).toEqual([]);
    });

    it(`${kind} lets pass as many requests as the task has uses, whatever ids its client gives them`, async () => {
      const { id, taskToken } = await grant('three');
      const call = { token: taskToken, headers: { 'x-request-id': 'always-the-same' } };
      const answers: Answer[] = [];
      for (let place = 0; place < 5; place += 1) answers.push(await send(gateway, '/cases/17', call));
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 403, 403]);
      expect(answers[3]?.headers['x-mayfly-control']).toBe('quota-uses');
      expect(upstream.received).toHaveLength(3);
      const { body } = await mayfly.send(`GET /tasks/${id}`, { token: mayfly.personToken('auditor') });
      expect(body.endCause).toBe('uses_exhausted');
    });

    it.each(HOSTILE)(`${kind} never passes on a path that servers read in different ways: %s`, async (path) => {
      const { taskToken } = await grant('cases');
      const { status } = await send(gateway, path, { token: taskToken });
      expect(status).toBeGreaterThanOrEqual(400);
      expect(upstream.received).toEqual([]);
    });

    it.each([
      'GET http://cases.example/admin HTTP/1.1',
      'GET /cases/17 17 HTTP/1.1',
      'GET cases/17 HTTP/1.1',
      'get /cases/17 HTTP/1.1',
    ])(`${kind} never passes on the request line %s`, async (line) => {
      const { taskToken } = await grant('cases');
      const status = await sendRaw(gateway, line, taskToken);
      expect(status === 0 || status >= 400).toBe(true);
      expect(upstream.received).toEqual([]);
    });

    it(`${kind} lets nothing pass with an identity of its own that is not declared, or none, and goes on with a new one`, async () => {
      const { taskToken } = await grant('cases');
      for (const token of ['', mayfly.agentToken('support-agent'), 'canary']) {
        await gateway.setToken(token);
        expect((await send(gateway, '/cases/17', { token: taskToken })).status).toBeGreaterThanOrEqual(401);
      }
      expect(upstream.received).toEqual([]);
      await gateway.setToken(mayfly.agentToken('edge'));
      expect((await send(gateway, '/cases/17', { token: taskToken })).status).toBe(200);
    });

    it(`${kind} lets nothing pass while Mayfly does not answer`, async () => {
      const alone = await startGateway(kind, { mayfly: 1, upstream: upstream.port }, mayfly.agentToken('edge'));
      const { taskToken } = await grant('cases');
      expect((await send(alone, '/cases/17', { token: taskToken })).status).toBeGreaterThanOrEqual(500);
      expect(upstream.received).toEqual([]);
      await alone.stop();
    });
  });
}
