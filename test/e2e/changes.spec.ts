import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Role } from '@mayfly/identity';
import { type JsonObject, newId } from '@mayfly/kernel';
import { FakeIssuer } from '@mayfly/testing';
import { newTestIssuers, startTestBroker, type TestBroker } from '../support/broker.js';
import { runCli } from '../support/cli.js';
import { agentDocument, connectionDocument, issuerDocument, templateDocument, yamlOf } from '../support/declared.js';
import { rowsOf } from '../support/rows.js';
import { approvedBy, changeIdOf } from '../support/two-persons.js';

const ROLES: readonly Role[] = ['platform', 'approver', 'operator', 'auditor', 'administrator'];
const SUPPORT = 'support-platform';
const CRM = 'crm-platform';

const issuers = newTestIssuers();
let directory: string;
let broker: TestBroker;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mayfly-changes-'));
  const path = join(directory, 'people.yaml');
  const roles = Object.fromEntries(ROLES.map((role) => [role, { claim: 'roles', values: [role] }]));
  const { spec } = issuers.staff.trusted('people', { roles, groups: { claim: 'groups' } });
  await writeFile(path, yamlOf({ kind: 'Issuer', metadata: { name: 'people' }, spec } as unknown as JsonObject));
  const environment = {
    NODE_ENV: 'production',
    MAYFLY_CONFIG_DIR: '',
    MAYFLY_BOOTSTRAP_ISSUER: path,
    MAYFLY_SECRETS_DIR: directory,
    MAYFLY_SEALING_KEY: '0'.repeat(64),
    MAYFLY_PUBLIC_URL: 'https://broker.example',
  };
  broker = await startTestBroker({ documents: '', issuers, environment });
});
afterAll(async () => {
  await broker.stop();
  await rm(directory, { recursive: true, force: true });
});

interface Who {
  readonly sub: string;
  readonly roles?: readonly Role[];
  readonly groups?: readonly string[];
}
/** Two persons of one team, one of another, and persons with other roles. */
const ANN: Who = { sub: 'ann' };
const BEN: Who = { sub: 'ben' };
const EVE: Who = { sub: 'eve', groups: [CRM] };
const OLGA: Who = { sub: 'olga', roles: ['operator'], groups: [] };
const OLEG: Who = { sub: 'oleg', roles: ['operator'], groups: [] };
const ADA: Who = { sub: 'ada', roles: ['administrator'], groups: [] };
const APRIL: Who = { sub: 'april', roles: ['approver'], groups: [] };

const tokenOf = ({ sub, roles = ['platform'], groups = [SUPPORT] }: Who) => issuers.staff.sign({ sub, roles, groups });
const send = (who: Who, route: string, body?: JsonObject, headers: Record<string, string> = {}) =>
  broker.send(route, { token: tokenOf(who), body, headers });
const approve = (who: Who, id: string, body: JsonObject = {}) => send(who, `POST /changes/${id}/approve`, body);
const agree = (route: string, body: JsonObject) =>
  approvedBy((decision, reason) => send(BEN, decision, reason), send(ANN, route, body));
const denied = (control: string) => ({ status: 403, body: { control, help: expect.any(String) } });

const issuerOf = (name: string, fake: FakeIssuer, spec: JsonObject = {}): JsonObject => ({
  kind: 'Issuer',
  metadata: { name, labels: {} },
  spec: { ...(fake.trusted(name).spec as unknown as JsonObject), owner: SUPPORT, ...spec },
});
const connectionOf = (name: string, spec: JsonObject = {}): JsonObject =>
  connectionDocument(name, { provider: 'signed-token', owner: SUPPORT, config: config(name), ...spec });
const config = (name: string): JsonObject => ({
  audience: `https://${name}.example`,
  resourceServers: [{ issuer: 'development', subject: `resource-server/${name}` }],
});

describe('one person alone', () => {
  const mallory = new FakeIssuer({ clock: { now: () => new Date() }, issuer: 'https://mallory.example' });
  const identities = [{ issuer: 'mallory', subject: 'mine', runtime: 'developer-laptop' }];
  const grab = { template: 'read', purpose: 'read the table' };
  const token = () => mallory.sign({ sub: 'mine', jti: newId('req') });

  it('one person alone does not get in by an issuer with a key of one’s own and an agent', async () => {
    expect(await send(ANN, 'POST /templates', templateDocument('read'))).toMatchObject({ status: 201 });
    const published = await send(BEN, 'POST /templates/read/publish', undefined, { 'if-match': '"1"' });
    expect(published).toMatchObject({ status: 200, body: { state: 'published' } });

    const issuer = changeIdOf(await send(EVE, 'POST /issuers', issuerOf('mallory', mallory, { owner: CRM })));
    const agent = changeIdOf(
      await send(EVE, 'POST /agents', agentDocument('mine', { owner: CRM, backupOwner: SUPPORT, identities })),
    );
    for (const id of [issuer, agent]) {
      expect(await approve(EVE, id)).toMatchObject(denied('four-eyes'));
      expect(await send(EVE, `POST /changes/${id}/refuse`, { reason: 'mine' })).toMatchObject(denied('four-eyes'));
    }
    expect(await send(EVE, 'POST /agents/mine/activate')).toMatchObject({ status: 404 });
    expect(await broker.send('POST /tasks', { token: token(), body: grab })).toMatchObject({ status: 401 });
    expect(await rowsOf(broker.database.adminUrl, 'SELECT id FROM task')).toEqual([]);

    // the same documents let the agent in when another person of the team has approved them
    const ERIN: Who = { sub: 'erin', groups: [CRM] };
    for (const id of [issuer, agent]) expect(await approve(ERIN, id)).toMatchObject({ status: 200 });
    expect(await send(EVE, 'POST /agents/mine/activate')).toMatchObject({ status: 200 });
    expect(await broker.send('POST /tasks', { token: token(), body: grab })).toMatchObject({ status: 201 });
  });

  it('one person alone cannot give an agent the labels or the identities of another', async () => {
    const etag = (await send(EVE, 'GET /agents/mine')).headers.get('etag') ?? '';
    const widened = agentDocument('mine', {
      owner: CRM,
      backupOwner: SUPPORT,
      identities: [...identities, { ...identities[0], subject: 'other' }],
    });
    const asked = await send(EVE, 'PUT /agents/mine', widened, { 'if-match': etag });
    expect(asked.headers.get('etag')).toBeNull();
    expect(asked.headers.get('location')).toBe(`/changes/${changeIdOf(asked)}`);
    expect(asked.body).toMatchObject({ change: { state: 'open', baseRevision: 2, author: { subject: 'eve' } } });
    const other = mallory.sign({ sub: 'other', jti: newId('req') });
    expect(await broker.send('GET /me', { token: other })).toMatchObject({ status: 403 });
    expect(await send(ANN, `GET /changes/${changeIdOf(asked)}`)).toMatchObject({
      status: 200,
      body: { stale: false, before: { revision: 2 }, differences: [{ pointer: '/spec/identities/1' }] },
    });
  });
});

describe('stops and their end', () => {
  beforeAll(async () => {
    await agree('POST /issuers', issuerOf('development', issuers.workloads));
    await agree('POST /agents', agentDocument('worker'));
    await agree('POST /connections', connectionOf('cases'));
    expect(await send(ANN, 'POST /agents/worker/activate')).toMatchObject({ status: 200 });
  });

  it('a stop takes one person, the owner or an operator, and its end takes two', async () => {
    for (const [stopper, lifter, second] of [
      [ANN, ANN, BEN],
      [OLGA, OLGA, OLEG],
      [ADA, OLGA, APRIL],
    ] as const) {
      expect(await send(stopper, 'POST /agents/worker/suspend')).toMatchObject({ body: { state: 'suspended' } });
      expect(await send(stopper, 'POST /connections/cases/disable')).toMatchObject({ body: { state: 'disabled' } });
      for (const [step, path] of [
        ['activate', '/agents/worker'],
        ['enable', '/connections/cases'],
      ] as const) {
        const id = changeIdOf(await send(lifter, `POST ${path}/${step}`));
        expect((await send(lifter, `GET ${path}`)).body.state).toMatch(/suspended|disabled/);
        expect(await approve(lifter, id)).toMatchObject(denied('four-eyes'));
        expect(await approve(second, id)).toMatchObject({ status: 200, body: { state: 'approved', operation: step } });
        expect((await send(lifter, `GET ${path}`)).body.state).toMatch(/active|enabled/);
      }
    }
  });

  it('a stop makes a change that was written before stale: its approval is refused, and it is closed', async () => {
    const etag = (await send(ANN, 'GET /connections/cases')).headers.get('etag') ?? '';
    const id = changeIdOf(
      await send(ANN, 'PUT /connections/cases', connectionOf('cases', { maxConcurrentCalls: 3 }), { 'if-match': etag }),
    );
    await send(OLGA, 'POST /connections/cases/disable');
    expect(await approve(BEN, id)).toMatchObject({ status: 412 });
    expect(await send(BEN, `GET /changes/${id}`)).toMatchObject({ body: { state: 'superseded' } });
    await approvedBy((decision, body) => send(OLEG, decision, body), send(OLGA, 'POST /connections/cases/enable'));
  });

  it('a lockdown is engaged by one operator while changes wait', async () => {
    const body = { scope: { kind: 'agent', name: 'worker' }, reason: 'seen in a log' };
    const engaged = await send(OLGA, 'POST /lockdowns', body);
    expect(engaged).toMatchObject({ status: 201 });
    for (const one of [OLGA, OLEG])
      await send(one, `POST /lockdowns/${engaged.body.id as string}/release`, { reason: 'over' });
  });
});

describe('the owner of a document', () => {
  it('a platform person acts on the documents of its own groups alone', async () => {
    const any = { 'if-match': '*' };
    for (const [route, body, headers] of [
      ['POST /agents', agentDocument('theirs'), {}],
      ['PUT /agents/worker', agentDocument('worker', { owner: CRM, backupOwner: SUPPORT }), any],
      ['POST /agents/worker/suspend', undefined, {}],
      ['POST /agents/worker/retire', undefined, {}],
      ['POST /connections', connectionOf('theirs'), {}],
      ['POST /connections/cases/disable', undefined, {}],
      ['DELETE /connections/cases', undefined, any],
      ['POST /issuers', issuerDocument('theirs', { owner: SUPPORT }), {}],
      ['DELETE /issuers/development', undefined, any],
      ['POST /templates', templateDocument('theirs'), {}],
      ['PUT /templates/read', templateDocument('read', { owner: CRM, backupOwner: SUPPORT }), any],
      ['POST /templates/read/retire', undefined, {}],
    ] as const) {
      const answer = await send(EVE, route, body, headers);
      expect({ route, ...answer }).toMatchObject(denied('ownership'));
      expect(answer.body.detail).toContain(SUPPORT);
    }
    expect(await send(ADA, 'POST /agents/worker/suspend')).toMatchObject({ status: 200 });
    const rows = await rowsOf<{ body: string }>(
      broker.database.adminUrl,
      `SELECT body FROM audit_entry WHERE type = 'request.forbidden' AND body LIKE '%"ownership"%'`,
    );
    expect(rows).toHaveLength(12);
    expect(rows.every(({ body }) => body.includes('"eve"'))).toBe(true);
  });

  it('a platform person publishes no draft of another group', async () => {
    await send(ANN, 'POST /templates', templateDocument('drafted'));
    const headers = { 'if-match': '"1"' };
    expect(await send(EVE, 'POST /templates/drafted/publish', undefined, headers)).toMatchObject(denied('ownership'));
    expect(await send(ADA, 'POST /templates/drafted/publish', undefined, headers)).toMatchObject({ status: 200 });
  });

  it('the check of a run tells a platform person which documents belong to others', async () => {
    const documents = [connectionOf('new', { owner: CRM }), agentDocument('worker')];
    const { body } = await send(EVE, 'POST /declarations/check', { documents });
    expect(body).toMatchObject({ ok: false, documents: [{ name: 'new' }, { refusal: { control: 'ownership' } }] });
    expect((body.documents as JsonObject[])[0]).not.toHaveProperty('refusal');
  });

  it('an issuer without an owner is an administrator’s', async () => {
    expect(await send(ANN, 'POST /issuers', issuerDocument('unowned'))).toMatchObject(denied('ownership'));
    const id = changeIdOf(await send(ADA, 'POST /issuers', issuerDocument('unowned')));
    expect(await approve(ANN, id)).toMatchObject(denied('ownership'));
    expect(await approve(APRIL, id)).toMatchObject({ status: 200 });
  });
});

describe('the routes of changes', () => {
  it('the routes of changes list by state, kind and name, page by page', async () => {
    const seen = async (query: string) => {
      const { body } = await send(ANN, `GET /changes?${query}`);
      return body as { items: JsonObject[]; nextCursor: string | null };
    };
    const open = await seen('state=open');
    expect(open.items.map(({ kind, name, state }) => [kind, name, state])).toEqual([['Agent', 'mine', 'open']]);
    expect((await seen('name=cases&kind=Connection')).items.length).toBeGreaterThan(3);
    const first = await seen('limit=2');
    const second = await seen(`limit=2&cursor=${first.nextCursor ?? ''}`);
    const ids = [...first.items, ...second.items].map(({ id }) => id as string);
    expect(ids).toEqual(ids.toSorted().reverse());
    expect(new Set(ids).size).toBe(4);
  });

  it.each([
    ['GET /changes?state=waiting', undefined, 400],
    ['GET /changes?kind=TaskTemplate', undefined, 400],
    ['GET /changes?cursor=abc', undefined, 400],
    ['GET /changes/lkd_01h455vb4pex5vsknk084sn02q', undefined, 400],
    ['GET /changes/chg_01h455vb4pex5vsknk084sn02q', undefined, 404],
    ['POST /changes/chg_01h455vb4pex5vsknk084sn02q/approve', {}, 404],
    ['POST /changes/chg_01h455vb4pex5vsknk084sn02q/approve', { reason: ' ' }, 400],
    ['POST /changes/chg_01h455vb4pex5vsknk084sn02q/approve', { force: true }, 400],
    ['POST /changes/chg_01h455vb4pex5vsknk084sn02q/refuse', {}, 400],
    ['POST /changes/chg_01h455vb4pex5vsknk084sn02q/refuse', { reason: 'x'.repeat(501) }, 400],
    ['POST /changes/chg_01h455vb4pex5vsknk084sn02q/refuse', { reason: 'no' }, 404],
  ])('the routes of changes answer %s with %o by %i', async (route, body, status) => {
    expect(await send(BEN, route, body)).toMatchObject({ status, body: { detail: expect.any(String) } });
  });

  it('the routes of changes leave one entry for each step in the audit, with its person', async () => {
    const rows = await rowsOf<{ type: string }>(
      broker.database.adminUrl,
      `SELECT DISTINCT type FROM audit_entry WHERE type LIKE 'change.%' ORDER BY type`,
    );
    expect(rows.map(({ type }) => type)).toEqual(['change.approved', 'change.requested', 'change.superseded']);
  });
});

describe('mayfly changes', () => {
  const run = (who: Who, ...words: readonly string[]) =>
    runCli({ MAYFLY_URL: broker.url, MAYFLY_TOKEN: tokenOf(who) }, ...words);

  it('mayfly apply asks for the changes of a whole folder, which another person approves in one command', async () => {
    const file = join(directory, 'all.yaml');
    const mesh = new FakeIssuer({ clock: { now: () => new Date() }, issuer: 'https://mesh.example' });
    const identities = [{ issuer: 'mesh', subject: 'bot', runtime: 'developer-laptop' }];
    await writeFile(
      file,
      yamlOf(
        agentDocument('bot', { identities }),
        issuerOf('mesh', mesh),
        connectionOf('mail'),
        templateDocument('mail'),
      ),
    );
    const asked = await run(ANN, 'apply', '-f', file);
    expect(asked).toMatchObject({ code: 5, stderr: '' });
    const { documents } = JSON.parse(asked.stdout) as { documents: JsonObject[] };
    expect(documents.map(({ kind, outcome }) => `${kind as string} ${outcome as string}`)).toEqual([
      ...['Issuer waiting', 'Connection waiting', 'Agent waiting', 'TaskTemplate applied'],
    ]);
    const ids = documents.flatMap(({ changeId }) => (typeof changeId === 'string' ? [changeId] : []));
    const again = JSON.parse((await run(ANN, 'apply', '-f', file)).stdout) as { documents: JsonObject[] };
    expect(again.documents.flatMap(({ changeId = [] }) => changeId)).toEqual(ids);

    const shown = await run(BEN, 'changes', 'show', ids[2]!);
    expect(JSON.parse(shown.stdout)).toMatchObject({ kind: 'Agent', name: 'bot', before: null, asked: { spec: {} } });
    const listed = await run(BEN, 'changes', 'list', '--state', 'open', '--name', 'mail');
    expect(JSON.parse(listed.stdout)).toMatchObject({ items: [{ id: ids[1], name: 'mail' }] });
    expect(await run(ANN, 'changes', 'approve', ids[0]!)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('four-eyes'),
    });
    expect(await run(BEN, 'apply', '-f', file)).toMatchObject({ code: 3, stderr: expect.stringContaining(ids[0]!) });
    expect(await run(BEN, 'changes', 'approve', ...ids.toReversed(), '--reason', 'read them')).toMatchObject({
      code: 0,
      stderr: '',
    });
    expect((await run(ANN, 'apply', '-f', file)).code).toBe(0);
  }, 120_000);

  it('mayfly changes refuse needs a reason, and mayfly agents activate says what waits', async () => {
    const { body } = await send(ANN, 'GET /changes?state=open');
    const [{ id }] = body.items as [{ id: string }];
    expect((await run(ADA, 'changes', 'refuse', id)).code).toBe(2);
    expect((await run(ADA, 'changes', 'refuse', 'mine', '--reason', 'no')).code).toBe(2);
    expect(await run(ADA, 'changes', 'refuse', id, '--reason', 'nobody asked for it')).toMatchObject({ code: 0 });
    expect(await send(ANN, `GET /changes/${id}`)).toMatchObject({
      body: { state: 'refused', reason: 'nobody asked for it' },
    });
    const lifted = await run(ANN, 'agents', 'activate', 'worker');
    expect(lifted.code).toBe(5);
    expect(JSON.parse(lifted.stdout)).toMatchObject({ change: { operation: 'activate', state: 'open' } });
  }, 120_000);
});
