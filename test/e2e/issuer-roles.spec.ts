import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonObject } from '@mayfly/kernel';
import { newTestIssuers, startTestBroker, type TestBroker } from '../support/broker.js';
import { agentDocument, issuerDocument, yamlOf } from '../support/declared.js';
import { rowsOf } from '../support/rows.js';

/** Who signs for this issuer would be every role at once. */
const ROLES = Object.fromEntries(
  ['platform', 'operator', 'auditor'].map((role) => [role, { claim: 'roles', values: ['any'] }]),
);

const issuers = newTestIssuers();
let directory: string;
let broker: TestBroker;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mayfly-bootstrap-'));
  const path = join(directory, 'people.yaml');
  const roles = {
    platform: { claim: 'roles', values: ['platform'] },
    operator: { claim: 'roles', values: ['operator'] },
  };
  const { spec } = issuers.staff.trusted('people', { roles });
  await writeFile(path, yamlOf({ kind: 'Issuer', metadata: { name: 'people' }, spec } as unknown as JsonObject));
  broker = await startTestBroker({
    documents: '',
    issuers,
    environment: {
      NODE_ENV: 'production',
      MAYFLY_BOOTSTRAP_ISSUER: path,
      MAYFLY_SECRETS_DIR: directory,
      MAYFLY_SEALING_KEY: '0'.repeat(64),
      MAYFLY_PUBLIC_URL: 'https://broker.example/',
    },
  });
});
afterAll(async () => {
  await broker.stop();
  await rm(directory, { recursive: true, force: true });
});

function send(route: string, body?: JsonObject, headers: Record<string, string> = {}) {
  return broker.send(route, { token: broker.personToken('platform'), body, headers });
}

const REFUSED = {
  status: 403,
  body: { type: 'urn:mayfly:problem:policy_denied', control: 'issuer-roles', help: expect.any(String) },
};

describe('a production service on an empty database', () => {
  it('knows its people from the bootstrap file, and nobody else', async () => {
    const { body, status } = await send('GET /issuers');
    expect(status).toBe(200);
    const [people, ...others] = body.items as JsonObject[];
    expect(people).toMatchObject({ name: 'people', updatedBy: 'mayfly:bootstrap-issuers' });
    expect(others).toEqual([]);
    expect(await broker.send('GET /issuers', { token: broker.agentToken('anybody') })).toMatchObject({ status: 401 });
  });

  it('is put to work from there over the API', async () => {
    expect(await send('POST /issuers', issuerDocument('development'))).toMatchObject({ status: 201 });
    expect(await send('POST /agents', agentDocument('first'))).toMatchObject({ status: 201 });
    expect(await send('POST /agents/first/activate')).toMatchObject({ status: 200, body: { state: 'active' } });
  });

  it('says where it is without a second slash', async () => {
    const { body } = await broker.send('GET /.well-known/oauth-authorization-server');
    expect(body).toMatchObject({
      issuer: 'https://broker.example',
      jwks_uri: 'https://broker.example/.well-known/jwks.json',
    });
  });
});

describe('who may say who is a person', () => {
  it('is not one person of the platform team: not by a new issuer', async () => {
    const mine = issuerDocument('mine', { roles: ROLES });
    expect(await send('POST /issuers', mine)).toMatchObject(REFUSED);
    expect(await send('PUT /issuers/mine', mine, { 'if-none-match': '*' })).toMatchObject(REFUSED);
    expect(await send('GET /issuers/mine')).toMatchObject({ status: 404 });
  });

  it('nor by giving roles to an issuer of workloads', async () => {
    expect(await send('POST /issuers', issuerDocument('mine'))).toMatchObject({ status: 201 });
    const changed = issuerDocument('mine', { roles: ROLES });
    expect(await send('PUT /issuers/mine', changed, { 'if-match': '"1"' })).toMatchObject(REFUSED);
    expect(await send('DELETE /issuers/mine', undefined, { 'if-match': '"1"' })).toMatchObject({ status: 204 });
  });

  it('nor by changing or removing the issuer of people, with or without roles', async () => {
    const { spec } = (await send('GET /issuers/people')).body as { spec: JsonObject };
    const { roles: _, ...without } = spec;
    for (const changed of [{ ...spec, roles: ROLES }, { ...spec, keys: { discovery: true } }, without]) {
      const document = { kind: 'Issuer', metadata: { name: 'people' }, spec: changed };
      expect(await send('PUT /issuers/people', document, { 'if-match': '"1"' })).toMatchObject(REFUSED);
    }
    expect(await send('DELETE /issuers/people', undefined, { 'if-match': '"1"' })).toMatchObject(REFUSED);
    expect((await send('GET /issuers/people')).body).toMatchObject({ revision: 1, spec });
  });

  it('is told in the audit each time that somebody tried', async () => {
    const rows = await rowsOf<{ body: string }>(
      broker.database.adminUrl,
      `SELECT body FROM audit_entry WHERE type = 'request.forbidden' AND body LIKE '%issuer-roles%' ORDER BY id`,
    );
    const entries = rows.map(({ body }) => JSON.parse(body) as JsonObject);
    expect(new Set(entries.map(({ route }) => route))).toEqual(
      new Set(['POST /issuers', 'PUT /issuers/:name', 'DELETE /issuers/:name']),
    );
    expect(entries[0]).toMatchObject({ control: 'issuer-roles', actor: { kind: 'person' } });
  });
});
