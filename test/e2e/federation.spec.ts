import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify, type JSONWebKeySet, type JWTVerifyResult } from 'jose';
import pg from 'pg';
import { startTestBroker, type TestAnswer, type TestBroker } from '../support/broker.js';
import { agentDocument, connectionDocument, templateDocument, yamlOf } from '../support/documents.js';
import { postForm } from '../support/form.js';
import { until } from '../support/until.js';

const PUBLIC_URL = 'https://mayfly.example';
const ISSUER = 'https://mayfly.example/federation';
const ORDER = { audience: 'sts.amazonaws.com', subject: 'mayfly', lifetimeSeconds: 300 };

const CONFIGURATION = 'GET /federation/.well-known/openid-configuration';
const FEDERATION_KEYS = 'GET /federation/jwks.json';
const ACCESS_KEYS = 'GET /.well-known/jwks.json';

let mayfly: TestBroker;

/** A broker, the first or one beside it. */
function start(beside?: TestBroker): Promise<TestBroker> {
  const resourceServers = [{ issuer: 'development', subject: 'cases-api' }];
  return startTestBroker({
    ...(beside === undefined ? {} : { beside }),
    environment: { MAYFLY_PUBLIC_URL: PUBLIC_URL },
    documents: yamlOf(
      agentDocument('support-agent'),
      templateDocument('support-read-cases'),
      connectionDocument('cases-api', {
        provider: 'signed-token',
        config: { audience: 'https://cases.example', resourceServers },
      }),
    ),
  });
}

/** The background makes the keys; nothing asks for them. */
const untilKeyed = (broker: TestBroker): Promise<unknown> =>
  until('federation keys', 60, async () => (await broker.send(FEDERATION_KEYS)).status === 200);

beforeAll(async () => {
  mayfly = await start();
  await untilKeyed(mayfly);
});

afterAll(() => mayfly.stop());

/** Verifies as a target does: with the keys of one JWKS, and nothing else known. */
async function verify(token: string, keys: string, issuer: string, broker = mayfly): Promise<JWTVerifyResult> {
  const { body } = await broker.send(keys);
  return jwtVerify(token, createLocalJWKSet(body as unknown as JSONWebKeySet), { issuer });
}

async function grant(broker = mayfly): Promise<TestAnswer> {
  const body = { template: 'support-read-cases', purpose: 'answer ticket 4711' };
  return broker.send('POST /tasks', { token: broker.agentToken('support-agent'), body });
}

async function accessToken(): Promise<string> {
  const { body } = await grant();
  return (body as unknown as { credentials: [{ secret: { token: string } }] }).credentials[0].secret.token;
}

const issue = (broker = mayfly): Promise<string> => broker.broker.services.federationTokens.issue(ORDER);

describe('the discovery of the federation', () => {
  it('the discovery of the federation names the issuer exactly as the tokens do, under the URL where it is asked for', async () => {
    const { status, body } = await mayfly.send(CONFIGURATION);
    expect(status).toBe(200);
    expect(body).toEqual({
      issuer: ISSUER,
      jwks_uri: `${ISSUER}/jwks.json`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
      claims_supported: ['iss', 'sub', 'aud', 'exp', 'iat', 'jti'],
    });
    expect(mayfly.broker.services.federationTokens.issuer).toBe(ISSUER);
  });

  it('the discovery of the federation leads to keys that verify a token with another implementation', async () => {
    const { body } = await mayfly.send(CONFIGURATION);
    const token = await issue();
    const jwksUri = (body as { jwks_uri: string }).jwks_uri;
    const keys = `GET ${jwksUri.slice(PUBLIC_URL.length)}`;
    const { payload, protectedHeader } = await verify(token, keys, (body as { issuer: string }).issuer);
    expect(protectedHeader).toMatchObject({ alg: 'RS256', typ: 'JWT' });
    expect(payload).toMatchObject({ iss: ISSUER, aud: ORDER.audience, sub: ORDER.subject });
    expect(payload.exp! - payload.iat!).toBe(300);
  });

  it('the discovery of the federation publishes no private member, and lets the keys be kept for as long as the others', async () => {
    const answer = await mayfly.send(FEDERATION_KEYS);
    const [key] = (answer.body as unknown as JSONWebKeySet).keys;
    expect(Object.keys(key!).toSorted()).toEqual(['alg', 'e', 'kid', 'kty', 'n', 'use']);
    expect(answer.headers.get('cache-control')).toBe('public, max-age=600');
    expect((await mayfly.send(ACCESS_KEYS)).headers.get('cache-control')).toBe('public, max-age=600');
  });
});

describe('the token of an agent', () => {
  it('the token of an agent opens no target that trusts the federation', async () => {
    const token = await accessToken();
    await expect(verify(token, ACCESS_KEYS, PUBLIC_URL)).resolves.toBeDefined();
    for (const issuer of [ISSUER, PUBLIC_URL]) {
      await expect(verify(token, FEDERATION_KEYS, issuer)).rejects.toMatchObject({ code: 'ERR_JWKS_NO_MATCHING_KEY' });
    }
    // Had a target both sets of keys, the issuer would still be another.
    await expect(verify(token, ACCESS_KEYS, ISSUER)).rejects.toMatchObject({ claim: 'iss' });
    expect(decodeProtectedHeader(token)).toMatchObject({ alg: 'EdDSA', typ: 'at+jwt' });
  });
});

describe('a token of the federation', () => {
  it('a federation token of this service is refused by its keys, its introspection and its routes', async () => {
    const token = await issue();
    await expect(verify(token, FEDERATION_KEYS, ISSUER)).resolves.toBeDefined();
    await expect(verify(token, ACCESS_KEYS, ISSUER)).rejects.toMatchObject({ code: 'ERR_JWKS_NO_MATCHING_KEY' });
    const introspected = await postForm(`${mayfly.url}/oauth/introspect`, mayfly.agentToken('cases-api'), { token });
    expect([introspected.status, introspected.text]).toEqual([200, '{"active":false}']);
    const body = { template: 'support-read-cases', purpose: 'answer ticket 4711' };
    for (const route of ['POST /tasks', 'GET /me', 'GET /audit/entries']) {
      expect(await mayfly.send(route, { token, ...(route === 'POST /tasks' ? { body } : {}) })).toMatchObject({
        status: 401,
      });
    }
  });
});

describe('another replica', () => {
  it('another replica has the same keys, so that each verifies what the other issued', async () => {
    const other = await start(mayfly);
    await untilKeyed(other);
    expect((await other.send(FEDERATION_KEYS)).body).toEqual((await mayfly.send(FEDERATION_KEYS)).body);
    await expect(verify(await issue(), FEDERATION_KEYS, ISSUER, other)).resolves.toBeDefined();
    await expect(verify(await issue(other), FEDERATION_KEYS, ISSUER)).resolves.toBeDefined();
    await other.stop();
  });

  it('another replica without federation keys grants and is ready, and publishes no empty set that would be kept', async () => {
    const owner = new pg.Client({ connectionString: mayfly.database.adminUrl });
    await owner.connect();
    await owner.query(`UPDATE signing_key SET sealed_private_key = '\\x00' WHERE purpose = 'federation'`);
    await owner.end();
    const other = await start(mayfly);
    expect(await other.send('GET /readyz')).toMatchObject({ status: 200 });
    expect(await grant(other)).toMatchObject({ status: 201 });
    expect(await other.send(CONFIGURATION)).toMatchObject({ status: 200 });
    const keys = await other.send(FEDERATION_KEYS);
    expect(keys).toMatchObject({ status: 503, body: { type: 'urn:mayfly:problem:unavailable' } });
    expect(keys.headers.get('cache-control') ?? '').not.toContain('max-age');
    expect(keys.headers.get('retry-after')).toBe('5');
    await expect(issue(other)).rejects.toMatchObject({ code: 'unavailable' });
    await other.stop();
  });
});
