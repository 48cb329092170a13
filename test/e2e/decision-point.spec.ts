import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '@mayfly/kernel';
import { startTestBroker, type TestAnswer, type TestBroker } from '../support/broker.js';
import { agentDocument, templateDocument, yamlOf } from '../support/documents.js';

interface Asked {
  readonly authorization: string | undefined;
  readonly question: JsonObject;
}

let directory: string;
let server: Server;
let mayfly: TestBroker;
let asked: Asked[];
let answer: (response: ServerResponse) => void;

const json200 = (body: unknown) => (response: ServerResponse) => response.end(JSON.stringify(body));

beforeAll(async () => {
  server = createServer((request, response) => {
    void json(request).then((question) => {
      asked.push({ authorization: request.headers.authorization, question: question as JsonObject });
      answer(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  directory = mkdtempSync(join(tmpdir(), 'mayfly-decision-point-'));
  writeFileSync(join(directory, 'token'), 'first-token\n');
  mayfly = await startTestBroker({
    environment: {
      MAYFLY_DECISION_POINT_URL: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/access/v1/evaluation`,
      MAYFLY_DECISION_POINT_TIMEOUT_MS: '500',
      MAYFLY_DECISION_POINT_TOKEN_FILE: join(directory, 'token'),
    },
    documents: yamlOf(agentDocument('support-agent'), templateDocument('support-read-cases')),
  });
});
afterAll(async () => {
  await mayfly.stop();
  server.closeAllConnections();
  server.close();
  rmSync(directory, { recursive: true, force: true });
});
beforeEach(() => {
  asked = [];
  answer = json200({ decision: true });
});

const agent = (): string => mayfly.agentToken('support-agent');
const REQUEST = { template: 'support-read-cases', purpose: 'answer ticket 4711' };
const request = (route = 'POST /tasks'): Promise<TestAnswer> => mayfly.send(route, { token: agent(), body: REQUEST });
const verdictIn = (controls: unknown) =>
  (controls as { control: string }[]).find(({ control }) => control === 'decision-point');

describe('a required decision point', () => {
  it('a required decision point is asked about every grant and renewal, with its token, and its permit is in the trace', async () => {
    const { status, body } = await request();
    expect(status).toBe(201);
    writeFileSync(join(directory, 'token'), 'second-token');
    const renewed = await mayfly.send(`POST /tasks/${body.id as string}/renew`, { token: agent(), body: {} });
    expect(renewed.status).toBe(200);
    expect(asked.map(({ authorization }) => authorization)).toEqual(['Bearer first-token', 'Bearer second-token']);
    expect(asked.map(({ question }) => question.action)).toEqual([{ name: 'request' }, { name: 'renew' }]);
    expect(asked[0]?.question).toMatchObject({
      subject: { type: 'agent', id: 'support-agent', properties: { issuer: 'development', subject: 'support-agent' } },
      resource: { type: 'task_template', id: 'support-read-cases', properties: { version: 1 } },
      context: {
        purpose: 'answer ticket 4711',
        lifetimeSeconds: expect.any(Number),
        credentials: [{ provider: 'signed-token', scope: { audience: expect.any(String) } }],
      },
    });
    const timeline = await mayfly.send(`GET /tasks/${body.id as string}/timeline`, {
      token: mayfly.personToken('auditor'),
    });
    const granted = (timeline.body.items as JsonObject[]).find(({ type }) => type === 'task.granted');
    expect(verdictIn(granted?.controls)).toEqual({
      ...{ control: 'decision-point', outcome: 'permit', evidence: { kind: 'authzen' } },
    });
  });

  it('a required decision point that denies: 403 with its control, and nothing is granted or minted', async () => {
    answer = json200({ decision: false, context: { reason_admin: { en: 'canary' } } });
    const { status, body } = await request();
    expect([status, body.control]).toEqual([403, 'decision-point']);
    expect(JSON.stringify(body)).not.toContain('canary');
    const dry = await request('POST /tasks?dryRun=true');
    expect(dry.body).toMatchObject({ wouldGrant: false });
    expect(verdictIn(dry.body.controls)).toMatchObject({ outcome: 'deny' });
  });

  it('a required decision point that denies a renewal leaves the task as it was', async () => {
    const { body } = await request();
    answer = json200({ decision: false });
    const path = `/tasks/${body.id as string}`;
    const renewed = await mayfly.send(`POST ${path}/renew`, { token: agent(), body: { ttlSeconds: 1800 } });
    expect([renewed.status, renewed.body.control]).toEqual([403, 'decision-point']);
    expect((await mayfly.send(`GET ${path}`, { token: agent() })).body).toMatchObject({
      state: 'active',
      expiresAt: body.expiresAt,
    });
  });

  it('a required decision point is not asked about what Mayfly denies itself', async () => {
    const body = { ...REQUEST, parameters: { unknown: 'x' } };
    expect((await mayfly.send('POST /tasks', { token: agent(), body })).status).toBe(422);
    expect(asked).toEqual([]);
  });

  it.each<[string, (response: ServerResponse) => void]>([
    ['says nothing', () => undefined],
    ['stops in its answer', (response) => response.write('{"decision":')],
    [
      'redirects',
      (response) => response.writeHead(301, { location: '/access/v1/evaluation/' }).end('{"decision":true}'),
    ],
    ['fails', (response) => response.writeHead(500).end('{"decision":true}')],
    ['closes the connection', (response) => response.destroy()],
    ['answers with text', (response) => response.end('true')],
    ['decides nothing', json200({})],
    ['answers in the words of another protocol', json200({ result: true })],
  ])('a required decision point that %s gave no decision, which denies', async (_, behaviour) => {
    answer = behaviour;
    const { status, body } = await request();
    expect([status, body.control]).toEqual([403, 'decision-point']);
    expect(body.detail).toContain('gave no decision');
  });
});
