import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '@mayfly/kernel';
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose';
import pg from 'pg';
import { startTestBroker, type TestBroker } from '../support/broker.js';
import { agentDocument, connectionDocument, templateDocument, yamlOf } from '../support/documents.js';
import { postForm, type FormAnswer } from '../support/form.js';

const CASES = 'https://cases.example';
const PUBLIC_URL = 'https://mayfly.example';

let mayfly: TestBroker;

/** The one workload that may introspect the tokens of an audience. */
function resourceServer(name: string, audience: string): JsonObject {
  const config = { audience, resourceServers: [{ issuer: 'development', subject: name }] };
  return connectionDocument(name, { provider: 'signed-token', config });
}

beforeAll(async () => {
  mayfly = await startTestBroker({
    environment: { MAYFLY_PUBLIC_URL: PUBLIC_URL },
    documents: yamlOf(
      agentDocument('support-agent'),
      agentDocument('other-agent'),
      templateDocument('support-read-cases'),
      resourceServer('cases-api', CASES),
      resourceServer('mail-api', 'https://mail.example'),
    ),
  });
});

afterAll(() => mayfly.stop());

interface Granted {
  readonly taskId: string;
  readonly leaseId: string;
  readonly token: string;
}

async function grant(): Promise<Granted> {
  const token = mayfly.agentToken('support-agent');
  const { status, body } = await mayfly.send('POST /tasks', {
    token,
    body: { template: 'support-read-cases', purpose: 'answer ticket 4711' },
  });
  expect(status).toBe(201);
  const task = body as unknown as { id: string; credentials: [{ leaseId: string; secret: { token: string } }] };
  const [{ leaseId, secret }] = task.credentials;
  return { taskId: task.id, leaseId, token: secret.token };
}

const introspect = (caller: string | undefined, token: string): Promise<FormAnswer> =>
  postForm(`${mayfly.url}/oauth/introspect`, caller, { token });
const revoke = (caller: string | undefined, token: string): Promise<FormAnswer> =>
  postForm(`${mayfly.url}/oauth/revoke`, caller, { token, token_type_hint: 'refresh_token' });
const bodyOf = ({ text }: FormAnswer): JsonObject => JSON.parse(text) as JsonObject;
const DEAD = '{"active":false}';
const server = (): string => mayfly.agentToken('cases-api');
const taskState = async (taskId: string): Promise<JsonObject> =>
  (await mayfly.send(`GET /tasks/${taskId}`, { token: mayfly.personToken('auditor') })).body;

describe('the metadata', () => {
  it('the OAuth metadata lead from the issuer to keys that verify a granted token with another implementation', async () => {
    const metadata = await mayfly.send('GET /.well-known/oauth-authorization-server');
    expect(metadata.body).toMatchObject({
      issuer: PUBLIC_URL,
      jwks_uri: `${PUBLIC_URL}/.well-known/jwks.json`,
      introspection_endpoint: `${PUBLIC_URL}/oauth/introspect`,
      revocation_endpoint: `${PUBLIC_URL}/oauth/revoke`,
      response_types_supported: [],
      grant_types_supported: [],
    });
    const jwks = await mayfly.send('GET /.well-known/jwks.json');
    expect(jwks.headers.get('cache-control')).toBe('public, max-age=600');
    const { token, leaseId } = await grant();
    const keys = createLocalJWKSet(jwks.body as unknown as JSONWebKeySet);
    const { payload } = await jwtVerify(token, keys, { issuer: PUBLIC_URL, audience: CASES, typ: 'at+jwt' });
    expect(payload.jti).toBe(leaseId);
  });

  it('the OAuth metadata publish no private member of any key', async () => {
    const { body } = await mayfly.send('GET /.well-known/jwks.json');
    expect(JSON.stringify(body)).not.toMatch(/"(d|p|q|k)":/);
  });
});

describe('introspection over HTTP', () => {
  it('introspection over HTTP shows a resource server a living token, and is not to be stored', async () => {
    const { token, taskId, leaseId } = await grant();
    const answer = await introspect(server(), token);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(bodyOf(answer)).toEqual({
      active: true,
      ...{ iss: PUBLIC_URL, aud: CASES, jti: leaseId, task_id: taskId, token_type: 'Bearer', scope: 'cases.read' },
      ...{ sub: expect.stringMatching(/^agt_/), client_id: expect.stringMatching(/^agt_/) },
      ...{ iat: expect.any(Number), exp: expect.any(Number) },
      authorization_details: [{ type: 'mayfly_operations', actions: ['cases.read'], locations: [CASES] }],
    });
  });

  it.each([
    ['the resource server of another audience', () => mayfly.agentToken('mail-api')],
    ['a workload that is no resource server', () => mayfly.agentToken('stranger')],
    ['another agent', () => mayfly.agentToken('other-agent')],
  ])('introspection over HTTP shows %s nothing, as if there were no such token', async (_, caller) => {
    const { token } = await grant();
    const answer = await introspect(caller(), token);
    expect([answer.status, answer.text]).toEqual([200, DEAD]);
    expect((await introspect(caller(), 'no token')).text).toBe(answer.text);
  });

  it.each(['complete', 'fail'])(
    'introspection over HTTP shows a token dead as soon as its task was ended: %s',
    async (step) => {
      const { token, taskId } = await grant();
      const body = step === 'fail' ? { body: { reason: 'it did not work' } } : {};
      await mayfly.send(`POST /tasks/${taskId}/${step}`, { token: mayfly.agentToken('support-agent'), ...body });
      expect((await introspect(server(), token)).text).toBe(DEAD);
    },
  );

  it('introspection refuses anonymous callers and people without a role for it, in the form of OAuth', async () => {
    const nobody = await introspect(undefined, 'x');
    expect([nobody.status, bodyOf(nobody)]).toMatchObject([401, { error: 'invalid_client' }]);
    expect(nobody.headers.get('www-authenticate')).toMatch(/^Bearer/);
    const platform = await introspect(mayfly.personToken('platform'), 'x');
    expect([platform.status, bodyOf(platform)]).toMatchObject([403, { error: 'unauthorized_client' }]);
  });

  it.each(['introspect', 'revoke'])(
    'introspection over HTTP names the missing token of an empty form: %s',
    async (route) => {
      const answer = await postForm(`${mayfly.url}/oauth/${route}`, server(), {});
      const error_description = expect.stringMatching(/token.*missing/);
      expect([answer.status, bodyOf(answer)]).toEqual([400, { error: 'invalid_request', error_description }]);
    },
  );

  it.each<[string, Record<string, string>]>([
    ['no token', { token_type_hint: 'access_token' }],
    ['an unknown field', { token: 'x', extra: 'y' }],
    ['an overlong token', { token: 'x'.repeat(8_193) }],
  ])('introspection over HTTP refuses a form with %s', async (_, form) => {
    const answer = await postForm(`${mayfly.url}/oauth/introspect`, server(), form);
    expect([answer.status, bodyOf(answer)]).toMatchObject([400, { error: 'invalid_request' }]);
  });
});

describe('revocation over HTTP', () => {
  it.each([
    ['its agent', () => mayfly.agentToken('support-agent')],
    ['an operator', () => mayfly.personToken('operator')],
  ])('revocation over HTTP by %s ends the whole task', async (_, caller) => {
    const { token, taskId } = await grant();
    const answer = await revoke(caller(), token);
    expect([answer.status, answer.text]).toEqual([200, '']);
    expect((await introspect(server(), token)).text).toBe(DEAD);
    expect(await taskState(taskId)).toMatchObject({ state: 'revoked', endCause: 'revoked' });
  });

  it.each([
    ['another agent', () => mayfly.agentToken('other-agent')],
    ['its resource server', server],
    ['an auditor', () => mayfly.personToken('auditor')],
  ])('revocation over HTTP by %s changes nothing, and looks as if it had', async (_, caller) => {
    const { token, taskId } = await grant();
    const answer = await revoke(caller(), token);
    expect([answer.status, answer.text]).toEqual([200, '']);
    expect(await taskState(taskId)).toMatchObject({ state: 'active' });
  });

  it('the revocation of a text that is no token of this service gets the same answer', async () => {
    const answer = await revoke(mayfly.agentToken('support-agent'), 'x');
    expect([answer.status, answer.text]).toEqual([200, '']);
  });
});

describe('with the tables out of reach', () => {
  it('introspection without its tables answers 503', async () => {
    const { token } = await grant();
    const owner = new pg.Client({ connectionString: mayfly.database.adminUrl });
    await owner.connect();
    await owner.query('ALTER TABLE lease RENAME TO lease_away');
    const answer = await introspect(server(), token);
    await owner.query('ALTER TABLE lease_away RENAME TO lease');
    await owner.end();
    expect([answer.status, bodyOf(answer)]).toMatchObject([503, { error: 'temporarily_unavailable' }]);
    expect(answer.headers.get('retry-after')).toBe('2');
    expect(bodyOf(await introspect(server(), token))).toMatchObject({ active: true });
  });
});
