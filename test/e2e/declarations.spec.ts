import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '@mayfly/kernel';
import { startTestBroker, type TestBroker } from '../support/broker.js';
import {
  agentDocument,
  connectionDocument,
  databaseCredential,
  identityOf,
  issuerDocument,
  templateDocument,
  yamlOf,
} from '../support/declared.js';
import { rowsOf } from '../support/rows.js';

let broker: TestBroker;
let platform: string;
beforeAll(async () => {
  const used = templateDocument('use-crm', { credentials: [databaseCredential('crm')] });
  const documents = yamlOf(agentDocument('first'), connectionDocument('crm'), used);
  broker = await startTestBroker({ documents });
  platform = broker.personToken('platform');
});
afterAll(() => broker.stop());

function send(route: string, body?: JsonObject, headers: Record<string, string> = {}) {
  return broker.send(route, { token: platform, body, headers });
}

const KINDS = [
  ['issuers', issuerDocument],
  ['connections', connectionDocument],
  ['agents', agentDocument],
] as const;

describe.each(KINDS)('the route /%s', (path, documentOf) => {
  it('the declaration route creates a document once, and shows it under its name', async () => {
    const created = await send(`POST /${path}`, documentOf('one'));
    expect(created).toMatchObject({ status: 201, body: { name: 'one', revision: 1 } });
    expect(created.headers.get('location')).toBe(`/${path}/one`);
    expect(created.headers.get('etag')).toBe('"1"');
    expect(created.body.updatedBy).toBe('development-staff:one-platform');
    expect((await send(`GET /${path}/one`)).body).toEqual(created.body);
    expect(await send(`POST /${path}`, documentOf('one'))).toMatchObject({ status: 409 });
  });

  it('the declaration route replaces a document only with its current entity tag', async () => {
    const changed = { ...documentOf('one'), metadata: { name: 'one', labels: { tier: 'gold' } } };
    expect(await send(`PUT /${path}/one`, changed)).toMatchObject({ status: 428 });
    expect(await send(`PUT /${path}/one`, changed, { 'if-match': '"7"' })).toMatchObject({ status: 412 });
    const replaced = await send(`PUT /${path}/one`, changed, { 'if-match': '"1"' });
    expect(replaced).toMatchObject({ status: 200, body: { revision: 2, labels: { tier: 'gold' } } });
    expect(replaced.headers.get('etag')).toBe('"2"');
    expect(await send(`PUT /${path}/one`, changed, { 'if-match': '"1"' })).toMatchObject({ status: 412 });
  });

  it('the declaration route leaves the revision of what does not change', async () => {
    const { spec, name, labels, kind } = (await send(`GET /${path}/one`)).body;
    const same = { kind, metadata: { name, labels }, spec };
    expect(await send(`PUT /${path}/one`, same, { 'if-match': '"2"' })).toMatchObject({ body: { revision: 2 } });
  });

  it('the declaration route creates by PUT where nothing is, and only there', async () => {
    const anew = { 'if-none-match': '*' };
    expect(await send(`PUT /${path}/two`, documentOf('two'), anew)).toMatchObject({
      status: 201,
      body: { revision: 1 },
    });
    expect(await send(`PUT /${path}/two`, documentOf('two'), anew)).toMatchObject({ status: 412 });
  });

  it('the declaration route refuses a name that is not the one in the address', async () => {
    const answer = await send(`PUT /${path}/one`, documentOf('two'), { 'if-match': '"2"' });
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ pointer: '/metadata/name' }] } });
  });

  it('the declaration route refuses an unknown key with its place and the nearest known key', async () => {
    const answer = await send(`POST /${path}`, { ...documentOf('three'), metadata: { name: 'three', lables: {} } });
    expect(answer).toMatchObject({ status: 422, body: { type: 'urn:mayfly:problem:invalid_declaration' } });
    const errors = [{ pointer: '/metadata/lables', detail: 'unknown key; did you mean `labels`?' }];
    expect(answer.body.errors).toEqual(errors);
  });

  it.each([
    ['nothing', undefined],
    ['a text', 'x'],
    ['another kind', { kind: 'TaskTemplate' }],
  ])('the declaration route refuses %s as a document', async (_, body) => {
    const answer = await broker.send(`POST /${path}`, { token: platform, body });
    expect([400, 415, 422]).toContain(answer.status);
  });

  it('the declaration route lists by name, page by page', async () => {
    const names: unknown[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const query = cursor === '' ? '' : `&cursor=${cursor}`;
      const { status, body } = await send(`GET /${path}?limit=1${query}`);
      expect(status).toBe(200);
      names.push(...(body.items as JsonObject[]).map(({ name }) => name));
      cursor = body.nextCursor as string | null;
    }
    expect(names).toEqual([...names].sort());
    expect(names).toEqual(expect.arrayContaining(['one', 'two']));
    expect(await send(`GET /${path}?limit=201`)).toMatchObject({ status: 400 });
    expect(await send(`GET /${path}?cursor=x`)).toMatchObject({ status: 400 });
  });

  it('the declaration route is for the platform team to write, for people with a role to read, and not for agents', async () => {
    const statusFor = async (route: string, token?: string): Promise<number> => {
      const body = route.startsWith('GET') ? undefined : documentOf('three');
      return (await broker.send(route, { ...(token === undefined ? {} : { token }), body })).status;
    };
    for (const role of ['operator', 'auditor'] as const) {
      const token = broker.personToken(role);
      expect(await statusFor(`GET /${path}`, token)).toBe(200);
      expect(await statusFor(`GET /${path}/one`, token)).toBe(200);
      expect(await statusFor(`POST /${path}`, token)).toBe(403);
      expect(await statusFor(`PUT /${path}/one`, token)).toBe(403);
    }
    for (const token of [broker.agentToken('first'), broker.personToken('approver')]) {
      for (const route of [`GET /${path}`, `GET /${path}/one`, `POST /${path}`, `PUT /${path}/one`]) {
        expect(await statusFor(route, token)).toBe(403);
      }
    }
    expect(await statusFor(`GET /${path}`)).toBe(401);
  });

  it('the declaration route answers 404 for an unknown name', async () => {
    expect(await send(`GET /${path}/nobody`)).toMatchObject({ status: 404 });
    expect(await send(`PUT /${path}/nobody`, documentOf('nobody'), { 'if-match': '*' })).toMatchObject({ status: 412 });
  });
});

describe('taking away', () => {
  it.each(['issuers', 'connections'])('DELETE removes one of the %s that nothing uses', async (path) => {
    expect(await send(`DELETE /${path}/two`)).toMatchObject({ status: 428 });
    expect(await send(`DELETE /${path}/two`, undefined, { 'if-match': '"9"' })).toMatchObject({ status: 412 });
    expect(await send(`DELETE /${path}/two`, undefined, { 'if-match': '"1"' })).toMatchObject({ status: 204 });
    expect(await send(`GET /${path}/two`)).toMatchObject({ status: 404 });
    expect(await send(`DELETE /${path}/two`, undefined, { 'if-match': '"1"' })).toMatchObject({ status: 404 });
  });

  it.each([
    ['/issuers/development', 'agent `first`'],
    ['/connections/crm', 'template `use-crm`'],
  ])('DELETE refuses %s, which is used by %s', async (path, user) => {
    const answer = await send(`DELETE ${path}`, undefined, { 'if-match': '"1"' });
    expect(answer).toMatchObject({ status: 409, body: { detail: expect.stringContaining(user) } });
  });

  it('DELETE refuses a connection that live leases need for revocation', async () => {
    await send('POST /templates/use-crm/retire');
    const columns = `id, task_id, name, provider, connection, revocation, state, agent_name, template_name, scope,
      scope_digest, sealed_handle, created_at, mint_by, expires_at, due_at`;
    await rowsOf(
      broker.database.adminUrl,
      `ALTER TABLE lease DROP CONSTRAINT lease_task_id_fkey;
       INSERT INTO lease (${columns}) VALUES ('lse_x', 'tsk_x', 'db', 'postgres', 'crm', 'immediate', 'active', 'first',
         'use-crm', '{}', '', '', now(), now(), now() + interval '1 hour', now() + interval '1 hour')`,
    );
    const answer = await send('DELETE /connections/crm', undefined, { 'if-match': '"1"' });
    expect(answer).toMatchObject({ status: 409, body: { detail: expect.stringContaining('1 live leases') } });
    await rowsOf(broker.database.adminUrl, `UPDATE lease SET state = 'revoked', due_at = NULL WHERE id = 'lse_x'`);
    expect(await send('DELETE /connections/crm', undefined, { 'if-match': '"1"' })).toMatchObject({ status: 204 });
  });
});

describe('what documents say of each other', () => {
  it.each([
    ['an identity that another agent has', '/agents', agentDocument('odd', { identities: [identityOf('first')] })],
    ['an issuer that is trusted already', '/issuers', issuerDocument('odd', { issuer: 'https://ci.example' })],
    ['an issuer that nobody declared', '/agents', agentDocument('odd', { identities: [foreign()] })],
    ['a provider that is not there', '/connections', connectionDocument('odd', { provider: 'oracle' })],
  ])('a contradiction between documents is refused: %s', async (_, path, document) => {
    expect(await send(`POST ${path}`, document)).toMatchObject({ status: 422 });
    expect(await send(`GET ${path}/odd`)).toMatchObject({ status: 404 });
  });

  it.each([
    'postgres://mayfly:canary-4711@db.example/crm',
    'postgresql://:canary-4711@db.example/crm',
    'postgres://db.example/crm?user=mayfly&password=canary-4711',
  ])('the declaration route refuses a password in the place of a reference: %s', async (url) => {
    const answer = await send('POST /connections', connectionDocument('odd', { config: { url } }));
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ pointer: '/spec/config/url' }] } });
    expect(JSON.stringify(answer.body)).toContain('env:');
    expect(JSON.stringify(answer.body)).not.toContain('canary');
  });
});

it('the audit of a declaration has the actor and the changed places', async () => {
  const rows = await rowsOf<{ body: string }>(
    broker.database.adminUrl,
    `SELECT body FROM audit_entry WHERE type = 'declaration.changed' AND body LIKE '%"kind":"Connection"%' ORDER BY id`,
  );
  const entries = rows.map(({ body }) => JSON.parse(body) as JsonObject);
  const actor = { kind: 'person', issuer: 'development-staff', subject: 'one-platform' };
  expect(entries).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ name: 'one', change: 'create', actor }),
      expect.objectContaining({ name: 'one', change: 'update', changed: ['/metadata/labels/tier'], actor }),
      expect.objectContaining({ name: 'two', change: 'delete', actor }),
    ]),
  );
  expect(JSON.stringify(entries)).not.toContain('gold');
});

function foreign(): JsonObject {
  return { ...identityOf('odd'), issuer: 'nobody' };
}
