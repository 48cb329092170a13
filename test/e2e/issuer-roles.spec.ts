import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonObject } from '@mayfly/kernel';
import { FakeIssuer } from '@mayfly/testing';
import { newTestIssuers, startTestBroker, type TestBroker } from '../support/broker.js';
import { agentDocument, issuerDocument, yamlOf } from '../support/declared.js';
import { rowsOf } from '../support/rows.js';
import { approvedBy, OWNERS } from '../support/two-persons.js';

/** Roles that one value of a claim gives all at once. */
const ROLES = Object.fromEntries(
  ['platform', 'operator', 'auditor'].map((role) => [role, { claim: 'roles', values: ['any'] }]),
);

const issuers = newTestIssuers();
let directory: string;
let broker: TestBroker;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mayfly-bootstrap-'));
  broker = await startTestBroker({ documents: '', issuers, environment: await environmentWith(issuers.staff) });
});
afterAll(async () => {
  await broker.stop();
  await rm(directory, { recursive: true, force: true });
});

/** A production service whose people are those of this issuer. */
async function environmentWith(staff: FakeIssuer): Promise<Record<string, string>> {
  const path = join(directory, 'people.yaml');
  const roles = {
    platform: { claim: 'roles', values: ['platform'] },
    operator: { claim: 'roles', values: ['operator'] },
  };
  const { spec } = staff.trusted('people', { roles });
  await writeFile(path, yamlOf({ kind: 'Issuer', metadata: { name: 'people' }, spec } as unknown as JsonObject));
  return {
    NODE_ENV: 'production',
    MAYFLY_CONFIG_DIR: '',
    MAYFLY_BOOTSTRAP_ISSUER: path,
    MAYFLY_SECRETS_DIR: directory,
    MAYFLY_SEALING_KEY: '0'.repeat(64),
    MAYFLY_PUBLIC_URL: 'https://broker.example/',
  };
}

function send(route: string, body?: JsonObject, headers: Record<string, string> = {}, sub = 'one-platform') {
  return broker.send(route, { token: issuers.staff.sign({ sub, roles: ['platform', ...OWNERS] }), body, headers });
}

/** Asks for a change, and has it approved by another person. */
function agree(route: string, body: JsonObject) {
  return approvedBy((decision, reason) => send(decision, reason, {}, 'two-platform'), send(route, body));
}

const OWNED = { owner: OWNERS[0] };
const APPROVED = { status: 200, body: { state: 'approved' } };

const REFUSED = {
  status: 403,
  body: { type: 'urn:mayfly:problem:policy_denied', control: 'issuer-roles', help: expect.any(String) },
};

describe('a production service on an empty database', () => {
  it('a production service on an empty database knows its people from the bootstrap file, and nobody else', async () => {
    const { body, status } = await send('GET /issuers');
    expect(status).toBe(200);
    const [people, ...others] = body.items as JsonObject[];
    expect(people).toMatchObject({ name: 'people', updatedBy: 'mayfly:bootstrap-issuers' });
    expect(others).toEqual([]);
    expect(await broker.send('GET /issuers', { token: broker.agentToken('anybody') })).toMatchObject({ status: 401 });
  });

  it('a production service on an empty database is put to work from there over the API', async () => {
    expect(await agree('POST /issuers', issuerDocument('development', OWNED))).toMatchObject(APPROVED);
    expect(await agree('POST /agents', agentDocument('first'))).toMatchObject(APPROVED);
    expect(await send('POST /agents/first/activate')).toMatchObject({ status: 200, body: { state: 'active' } });
  });

  it('a production service on an empty database says where it is without a second slash', async () => {
    const { body } = await broker.send('GET /.well-known/oauth-authorization-server');
    expect(body).toMatchObject({
      issuer: 'https://broker.example',
      jwks_uri: 'https://broker.example/.well-known/jwks.json',
    });
  });
});

describe('who may say who is a person', () => {
  it('the platform team cannot create an issuer with roles (POST, PUT)', async () => {
    const mine = issuerDocument('mine', { roles: ROLES });
    expect(await send('POST /issuers', mine)).toMatchObject(REFUSED);
    expect(await send('PUT /issuers/mine', mine, { 'if-none-match': '*' })).toMatchObject(REFUSED);
    expect(await send('GET /issuers/mine')).toMatchObject({ status: 404 });
  });

  it('the platform team cannot give roles to an issuer of workloads', async () => {
    expect(await agree('POST /issuers', issuerDocument('mine', OWNED))).toMatchObject(APPROVED);
    const changed = issuerDocument('mine', { roles: ROLES });
    expect(await send('PUT /issuers/mine', changed, { 'if-match': '"1"' })).toMatchObject(REFUSED);
    expect(await send('DELETE /issuers/mine', undefined, { 'if-match': '"1"' })).toMatchObject({ status: 204 });
  });

  it('the platform team cannot change or remove the issuer of people, with or without roles', async () => {
    const { spec } = (await send('GET /issuers/people')).body as { spec: JsonObject };
    const { roles: _, ...without } = spec;
    for (const changed of [{ ...spec, roles: ROLES }, { ...spec, keys: { discovery: true } }, without]) {
      const document = { kind: 'Issuer', metadata: { name: 'people' }, spec: changed };
      expect(await send('PUT /issuers/people', document, { 'if-match': '"1"' })).toMatchObject(REFUSED);
    }
    expect(await send('DELETE /issuers/people', undefined, { 'if-match': '"1"' })).toMatchObject(REFUSED);
    expect((await send('GET /issuers/people')).body).toMatchObject({ revision: 1, spec });
  });

  it('the audit has every attempt to change an issuer with roles', async () => {
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

describe('a second document of the issuer of people', () => {
  const impostor = new FakeIssuer({ clock: { now: () => new Date() }, issuer: issuers.staff.issuer });

  async function second(name: string, changed: JsonObject = {}): Promise<JsonObject> {
    const { roles: _, ...spec } = (await send('GET /issuers/people')).body.spec as JsonObject;
    return issuerDocument(name, { ...spec, ...OWNED, audiences: ['mayfly-agents'], ...changed });
  }
  const signedBy = (staff: FakeIssuer, claims: JsonObject) => staff.sign({ sub: 'one-platform', ...claims });
  const seen = async (route: string, claims: JsonObject, staff = issuers.staff) =>
    (await broker.send(route, { token: signedBy(staff, claims) })).status;

  it.each<[string, JsonObject]>([
    ['keys', { jwks: impostor.jwks() }],
    ['algorithms', ['ES256', 'RS256']],
    ['maxLifetimeSeconds', 86_400],
    ['clockToleranceSeconds', 60],
    ['replay', 'single-use'],
  ] as unknown as [string, JsonObject][])(
    'a second document of the issuer of people is refused over the API with other %s',
    async (member, value) => {
      expect(await send('POST /issuers', await second('mine', { [member]: value }))).toMatchObject({
        status: 422,
        body: {
          errors: [
            { pointer: `/spec/${member}`, detail: expect.stringContaining('`people` declares the same issuer') },
          ],
        },
      });
    },
  );

  it('a second document of the issuer of people is refused over the API with roles', async () => {
    expect(await send('POST /issuers', await second('mine', { roles: ROLES }))).toMatchObject(REFUSED);
  });

  it('a second document of the issuer of people brings agents, and a role to nobody by its audience or its types of token', async () => {
    const open = { audiences: ['mayfly', 'mayfly-agents'], tokenTypes: ['jwt', 'at+jwt'], multipleAudiences: true };
    expect(await agree('POST /issuers', await second('staff-agents', open))).toMatchObject(APPROVED);
    const identities = [{ issuer: 'staff-agents', runtime: 'developer-laptop', claims: { azp: 'agent-ed' } }];
    expect(await agree('POST /agents', agentDocument('ed', { identities }))).toMatchObject(APPROVED);
    expect(await send('POST /agents/ed/activate')).toMatchObject({ status: 200 });
    expect(await seen('GET /me', { sub: '6f1c', aud: 'mayfly-agents', azp: 'agent-ed' })).toBe(200);
    expect(await seen('GET /issuers', { roles: ['platform'] })).toBe(200);
    expect(await seen('GET /issuers', { roles: ['platform'], aud: 'mayfly-agents' })).toBe(403);
    const access = issuers.staff.sign({ roles: ['platform'] }, { typ: 'at+jwt' });
    expect(await broker.send('GET /issuers', { token: access })).toMatchObject({ status: 403 });
  });

  it.each(['mayfly', 'mayfly-agents'])(
    'a second document of the issuer of people lets nobody be both, with a token for %s',
    async (aud) => {
      for (const route of ['GET /me', 'GET /issuers']) {
        expect(await seen(route, { roles: ['platform'], azp: 'agent-ed', aud })).toBe(403);
      }
    },
  );

  it('a second document of the issuer of people changes the name of no person, so that nobody is two people', async () => {
    expect(await agree('POST /issuers', await second('aaa', { audiences: ['mayfly'] }))).toMatchObject(APPROVED);
    expect(await agree('POST /issuers', issuerDocument('third', OWNED))).toMatchObject({
      ...APPROVED,
      body: { author: { issuer: 'people', subject: 'one-platform' }, closedBy: { subject: 'two-platform' } },
    });
    expect(await send('GET /issuers/third')).toMatchObject({ body: { updatedBy: 'people:one-platform' } });
  });

  it('a second document of the issuer of people does not block a key change by the operator, and is out of force until it agrees', async () => {
    const rotated = new FakeIssuer({ clock: { now: () => new Date() }, issuer: issuers.staff.issuer });
    const other = await startTestBroker({ beside: broker, documents: '', environment: await environmentWith(rotated) });
    try {
      const status = async (route: string, staff: FakeIssuer, claims: JsonObject) =>
        (await other.send(route, { token: signedBy(staff, claims) })).status;
      expect(await status('GET /issuers', rotated, { roles: ['platform'] })).toBe(200);
      expect(await status('GET /issuers', issuers.staff, { roles: ['platform'] })).toBe(401);
      for (const staff of [rotated, issuers.staff])
        expect(await status('GET /me', staff, { sub: '6f1c', aud: 'mayfly-agents', azp: 'agent-ed' })).toBe(401);
    } finally {
      await other.stop();
    }
  });
});
