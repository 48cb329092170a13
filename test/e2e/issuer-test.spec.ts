import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '@mayfly/kernel';
import { FakeIssuer } from '@mayfly/testing';
import { startTestBroker, type TestAnswer, type TestBroker } from '../support/broker.js';
import { Canaries } from '../support/canaries.js';
import { agentDocument, issuerDocument } from '../support/declared.js';
import { everyRow } from '../support/every-row.js';
import { rowsOf } from '../support/rows.js';

const clock = { now: () => new Date() };
const ci = new FakeIssuer({ clock, issuer: 'https://builds.example' });

let broker: TestBroker;
let jwks: Server;
let keysUri: string;
let isDown = false;
beforeAll(async () => {
  jwks = createServer(({ url, headers: { host = '' } }, response) => {
    const discovery = { issuer: `http://${host}`, jwks_uri: 'https://10.0.0.5/keys' };
    if (isDown) response.writeHead(503).end();
    else if (url?.startsWith('/.well-known/') === true) response.end(JSON.stringify(discovery));
    else response.end(JSON.stringify(ci.jwks()));
  });
  await new Promise<void>((resolve) => jwks.listen(0, '127.0.0.1', resolve));
  keysUri = `http://127.0.0.1:${String((jwks.address() as AddressInfo).port)}/keys`;
  const documents = [
    agentDocument('build-agent', { identities: [{ issuer: 'builds', subject: 'build-agent', runtime: 'ci' }] }),
    issuerDocument('builds', { issuer: ci.issuer, keys: { jwksUri: keysUri }, replay: 'single-use' }),
    issuerDocument('builds-vault', {
      ...{ issuer: ci.issuer, keys: { jwksUri: keysUri }, replay: 'single-use' },
      audiences: ['vault-agents'],
    }),
    issuerDocument('elsewhere', { keys: { jwksUri: keysUri } }),
  ];
  broker = await startTestBroker({ documents: documents.map((each) => JSON.stringify(each)).join('\n---\n') });
});
beforeEach(() => {
  isDown = false;
});
afterAll(async () => {
  jwks.close();
  await broker.stop();
});

const test = (name: string, body?: unknown): Promise<TestAnswer> =>
  broker.send(`POST /issuers/${name}/test`, { token: broker.personToken('platform'), body });
const checksIn = ({ body }: TestAnswer) => body.checks as { name: string; outcome: string; detail?: string }[];
const wrongIn = (answer: TestAnswer) =>
  Object.fromEntries(
    checksIn(answer)
      .filter(({ outcome }) => outcome !== 'ok')
      .map(({ name, detail }) => [name, detail]),
  );

describe('POST /issuers/:name/test', () => {
  it('POST /issuers/:name/test fetches the keys and says which there are', async () => {
    const answer = await test('builds');
    expect(answer).toMatchObject({ status: 200, body: { issuer: 'builds', ok: true } });
    expect(checksIn(answer).map(({ name }) => name)).toEqual([
      ...['in force', 'fetch the keys', 'read the keys', 'the clocks agree'],
    ]);
    expect(checksIn(answer).at(-2)?.detail).toContain('(ES256)');
  });

  it('POST /issuers/:name/test fetches them at that moment, so that an outage is seen although the keys are still kept', async () => {
    const agent = ci.sign({ sub: 'build-agent', jti: 'kept' });
    expect((await broker.send('GET /me', { token: agent })).status).toBe(200);
    isDown = true;
    expect(wrongIn(await test('builds'))).toEqual({ 'fetch the keys': 'answered with status 503' });
    expect((await broker.send('GET /me', { token: ci.sign({ sub: 'build-agent', jti: 'kept-2' }) })).status).toBe(200);
  });

  it('the test of an issuer names the agent of a good token', async () => {
    const answer = await test('builds', { token: ci.sign({ sub: 'build-agent', jti: 'one' }) });
    expect(answer.body).toMatchObject({ ok: true });
    expect(checksIn(answer).at(-1)).toEqual({
      name: 'identity',
      outcome: 'ok',
      detail: 'agent `build-agent` in the runtime `ci`; the token opens one task, and this test did not use it',
    });
  });

  it('POST /issuers/:name/test names the roles that a good token of a person has', async () => {
    const answer = await test('development-staff', { token: broker.personToken('auditor') });
    expect(checksIn(answer).at(-1)).toMatchObject({ name: 'identity', detail: 'a person with auditor' });
  });

  it('POST /issuers/:name/test judges a bad token rule by rule, and gives the verdict of the way in', async () => {
    const answer = await test('builds', { token: ci.sign({ aud: 'vault', jti: 'x' }, { typ: 'logout+jwt' }) });
    expect(answer.body.ok).toBe(false);
    expect(wrongIn(answer)).toEqual({
      typ: expect.stringContaining('`logout+jwt`'),
      aud: expect.stringContaining('the document has `audiences` `mayfly`'),
      identity: expect.stringContaining('the broker refuses the token'),
    });
  });

  it('POST /issuers/:name/test tells which document of one issuer accepts a token, where it is not the one that is tested', async () => {
    const token = ci.sign({ sub: 'build-agent', jti: 'x' });
    expect(wrongIn(await test('builds-vault', { token }))).toEqual({
      aud: expect.stringContaining('`vault-agents`'),
      identity: 'this document does not accept the token; `builds` of the same issuer does',
    });
  });

  it('POST /issuers/:name/test names the subject that has to be bound where no agent is', async () => {
    const answer = await test('builds', { token: ci.sign({ sub: 'nobody', jti: 'x' }) });
    expect(wrongIn(answer)).toEqual({ identity: expect.stringContaining('issuer `builds`, subject `nobody`') });
  });

  it('POST /issuers/:name/test consumes no single-use token, opens nothing with it, and keeps it nowhere', async () => {
    const token = ci.sign({ sub: 'build-agent', jti: 'planted-and-unused' });
    const canaries = new Canaries();
    canaries.plantToken('the token', token);
    canaries.plant('its jti', 'planted-and-unused');
    const answers = [
      await test('builds', { token }),
      await test('builds', { token }),
      await test('elsewhere', { token }),
    ];
    const before = await everyRow(broker.database.adminUrl);
    expect(canaries.findIn(before.join('\n'))).toEqual([]);
    expect(canaries.findIn(JSON.stringify(answers.map(({ body }) => body)))).toEqual([]);
    expect(before.some((row) => row.includes('issuer.tested'))).toBe(true);
    const used = await broker.send('POST /tasks', {
      token,
      body: { template: 'none', parameters: {}, purpose: 'see whether the token is still unused' },
    });
    expect(used.body.detail).not.toMatch(/used/);
    expect(used.status).not.toBe(401);
  });

  it('POST /issuers/:name/test says that a single-use token was used', async () => {
    const jti = 'used-once';
    const expiresAt = new Date(Date.now() + 60_000);
    await broker.broker.services.identityUses.consume(ci.issuer, jti, expiresAt);
    const answer = await test('builds', { token: ci.sign({ sub: 'build-agent', jti }) });
    expect(wrongIn(answer)).toEqual({ identity: expect.stringContaining('an earlier task used this identity token') });
  });

  it('POST /issuers/:name/test says which document and member a document contradicts that is out of force, as the document itself does', async () => {
    const { services } = broker.broker;
    const roles = { auditor: { claim: 'groups', values: ['audit'] } };
    const change = `UPDATE issuer SET spec = spec || $2::jsonb WHERE name = $1`;
    const changed = async (patch: object): Promise<void> => {
      await rowsOf(broker.database.adminUrl, change, ['builds', JSON.stringify(patch)]);
      await services.catalog.refresh();
    };
    await changed({ roles, maxLifetimeSeconds: 1800 });
    const fault = expect.stringContaining(
      '`builds` declares the same issuer with another `maxLifetimeSeconds`',
    ) as unknown;
    const token = ci.sign({ sub: 'v', aud: 'vault-agents', jti: 'v' });
    expect(wrongIn(await test('builds-vault', { token }))).toMatchObject({ 'in force': fault });
    const viewed = await broker.send('GET /issuers/builds-vault', { token: broker.personToken('platform') });
    expect(viewed.body.contradiction).toEqual(fault);
    expect(await broker.send('GET /me', { token })).toMatchObject({
      status: 401,
      body: { reason: 'document_not_in_force', detail: expect.stringContaining('`builds-vault`') },
    });
    await changed({ maxLifetimeSeconds: 3600 });
    expect(wrongIn(await test('builds-vault'))).toEqual({});
  });

  it('the test of an issuer is for the platform team alone, answers 404 for an unknown name, and accepts only a token', async () => {
    for (const role of ['operator', 'auditor', 'approver'] as const)
      expect((await broker.send('POST /issuers/builds/test', { token: broker.personToken(role) })).status).toBe(403);
    expect((await test('nobody')).status).toBe(404);
    expect(await test('builds', { jwt: 'x' })).toMatchObject({ status: 400 });
    const long = await test('builds', { token: `canary-${'x'.repeat(17_000)}` });
    expect(long).toMatchObject({ status: 400, body: { errors: [{ pointer: '/token' }] } });
    expect(JSON.stringify(long.body)).not.toContain('canary');
  });
});

describe('an issuer at a private address', () => {
  it.each<[string, JsonObject, string]>([
    ['10.0.0.5', { keys: { jwksUri: 'https://10.0.0.5/keys' } }, '/spec/keys/jwksUri'],
    ['169.254.169.254', { keys: { jwksUri: 'http://169.254.169.254/latest' } }, '/spec/keys/jwksUri'],
  ])(
    'an issuer at a private address is refused when it is declared by the address %s, with rule and setting',
    async (_, spec, pointer) => {
      const token = broker.personToken('platform');
      const refused = await broker.send('POST /issuers', { token, body: issuerDocument('inside', spec) });
      expect(refused).toMatchObject({ status: 422, body: { errors: [{ pointer }] } });
      expect(JSON.stringify(refused.body.errors)).toMatch(/MAYFLY_EGRESS_ALLOW|no setting allows it/);
    },
  );

  it('a private key address is not reported as a temporary outage, to callers and in the test', async () => {
    const issuer = new URL(keysUri).origin;
    const document = issuerDocument('hidden', { issuer, keys: { discovery: true } });
    const created = await broker.send('POST /issuers', { token: broker.personToken('platform'), body: document });
    expect(created.status).toBe(201);
    const refused = await broker.send('GET /me', { token: new FakeIssuer({ clock, issuer }).sign() });
    expect(refused).toMatchObject({ status: 503, body: { detail: expect.stringContaining('MAYFLY_EGRESS_ALLOW') } });
    expect(refused.body.detail).not.toContain('try again');
    expect(refused.headers.get('retry-after')).toBeNull();
    expect(wrongIn(await test('hidden'))).toEqual({ 'fetch the keys': expect.stringContaining('rule `private`') });
  });
});
