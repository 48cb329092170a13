import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '@mayfly/kernel';
import { startTestBroker, type TestBroker } from '../support/broker.js';
import {
  agentDocument,
  connectionDocument,
  databaseCredential,
  templateDocument,
  yamlOf,
} from '../support/declared.js';
import { rowsOf } from '../support/rows.js';

let broker: TestBroker;
let author: string;
let publisher: string;
beforeAll(async () => {
  broker = await startTestBroker({ documents: yamlOf(agentDocument('first'), connectionDocument('crm')) });
  author = broker.personToken('platform', 'author');
  publisher = broker.personToken('platform', 'publisher');
});
afterAll(() => broker.stop());

type Headers = Record<string, string>;

function send(route: string, body?: JsonObject, headers: Headers = {}, token = author) {
  return broker.send(route, { token, body, headers });
}

/** With the entity tag that the template has now. */
async function sendNow(route: string, body?: JsonObject, token = author) {
  const [, name = ''] = /templates\/([^/]+)/.exec(route) ?? [];
  const etag = (await send(`GET /templates/${name}`)).headers.get('etag') ?? '';
  return send(route, body, { 'if-match': etag }, token);
}

async function published(name: string, spec: JsonObject = {}): Promise<void> {
  expect(await send('POST /templates', templateDocument(name, spec))).toMatchObject({ status: 201 });
  expect(await sendNow(`POST /templates/${name}/publish`, undefined, publisher)).toMatchObject({ status: 200 });
}

function ask(template: string, ttlSeconds = 60) {
  const body = { template, purpose: 'answer a ticket', ttlSeconds };
  return broker.send('POST /tasks', { token: broker.agentToken('first'), body });
}

describe('a draft', () => {
  it('a draft grants nothing, and is shown with its author and its entity tag', async () => {
    const created = await send('POST /templates', templateDocument('drafted'));
    expect(created).toMatchObject({ status: 201, body: { state: 'draft', currentVersion: null, inForce: null } });
    expect(created.headers.get('location')).toBe('/templates/drafted');
    expect(created.headers.get('etag')).toBe('"1"');
    const draft = await send('GET /templates/drafted/draft');
    expect(draft.headers.get('etag')).toBe('"1"');
    expect(draft.body).toMatchObject({
      author: 'development-staff:author',
      labels: {},
      spec: templateDocument('drafted').spec,
    });
    expect(await ask('drafted')).toMatchObject({ status: 404 });
    expect(await send('POST /templates', templateDocument('drafted'))).toMatchObject({ status: 409 });
  });

  it('a draft is replaced only with its current entity tag', async () => {
    const next = templateDocument('drafted', { description: 'Read more cases.' });
    expect(await send('PUT /templates/drafted', next)).toMatchObject({ status: 428 });
    expect(await send('PUT /templates/drafted', next, { 'if-match': '"9"' })).toMatchObject({ status: 412 });
    expect(await send('PUT /templates/drafted', next, { 'if-match': '"1"' })).toMatchObject({ body: { revision: 2 } });
    expect((await send('GET /templates/drafted/draft')).body).toMatchObject({ spec: next.spec });
    expect(await send('PUT /templates/nobody', templateDocument('nobody'), { 'if-match': '*' })).toMatchObject({
      status: 412,
    });
  });

  it('a draft is refused with the places that are wrong', async () => {
    const wrong = templateDocument('wrong', { lifetime: { defaultSeconds: 0, maxSeconds: 60 } });
    const answer = await send('POST /templates', wrong);
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ pointer: '/spec/lifetime/defaultSeconds' }] } });
  });
});

describe('publishing', () => {
  it('publishing needs another person than the author, and the denial is on record', async () => {
    await send('POST /templates', templateDocument('four-eyes'));
    const refused = await sendNow('POST /templates/four-eyes/publish');
    expect(refused).toMatchObject({ status: 403, body: { control: 'four-eyes' } });
    expect(await ask('four-eyes')).toMatchObject({ status: 404 });
    const [entry] = await rowsOf<{ body: string }>(
      broker.database.adminUrl,
      `SELECT body FROM audit_entry WHERE type = 'request.forbidden' AND body LIKE '%four-eyes%'`,
    );
    expect(JSON.parse(entry?.body ?? '{}')).toMatchObject({ actor: { subject: 'author' }, control: 'four-eyes' });

    const answer = await sendNow('POST /templates/four-eyes/publish', undefined, publisher);
    expect(answer).toMatchObject({ status: 200, body: { state: 'published', draft: null } });
    const people = { author: 'development-staff:author', publisher: 'development-staff:publisher' };
    expect(answer.body.inForce).toMatchObject({ version: 1, ...people });
    expect(await ask('four-eyes')).toMatchObject({ status: 201, body: { template: { version: 1 } } });
  });

  it('publishing needs a person who changed no part of the draft', async () => {
    await send('POST /templates', templateDocument('passed-on'));
    const other = templateDocument('passed-on', { description: 'Other.' });
    await sendNow('PUT /templates/passed-on', other, publisher);
    const third = broker.personToken('platform', 'third');
    for (const editor of [publisher, author]) {
      expect(await sendNow('POST /templates/passed-on/publish', undefined, editor)).toMatchObject({ status: 403 });
    }
    // saved without a change: that is no part in it
    await sendNow('PUT /templates/passed-on', other, third);
    expect((await send('GET /templates/passed-on/draft')).body).toMatchObject({
      author: 'development-staff:publisher',
      editors: ['development-staff:author', 'development-staff:publisher'],
    });
    const answer = await sendNow('POST /templates/passed-on/publish', undefined, third);
    expect(answer).toMatchObject({ status: 200, body: { draft: null } });
  });

  it('publishing begins again with a draft that equals the version in force', async () => {
    await published('begun-anew');
    const change = (description: string, token: string) =>
      sendNow('PUT /templates/begun-anew', templateDocument('begun-anew', { description }), token);
    await change('One.', publisher);
    await change('Two.', author);
    expect(await sendNow('POST /templates/begun-anew/publish', undefined, publisher)).toMatchObject({ status: 403 });
    await sendNow('PUT /templates/begun-anew', templateDocument('begun-anew'));
    await change('Three.', author);
    expect(await sendNow('POST /templates/begun-anew/publish', undefined, publisher)).toMatchObject({ status: 200 });
  });

  it('publishing publishes the draft that was read, or nothing', async () => {
    await send('POST /templates', templateDocument('raced'));
    const publish = (headers: Headers) => send('POST /templates/raced/publish', undefined, headers, publisher);
    expect(await publish({})).toMatchObject({ status: 428 });
    await sendNow('PUT /templates/raced', templateDocument('raced', { description: 'Slipped in.' }));
    expect(await publish({ 'if-match': '"1"' })).toMatchObject({ status: 412 });
    const both = await Promise.all([publish({ 'if-match': '"2"' }), publish({ 'if-match': '"2"' })]);
    expect(both.map(({ status }) => status).sort()).toEqual([200, 412]);
    expect(await publish({ 'if-match': '"3"' })).toMatchObject({ status: 409 });
  });

  it('publishing refuses what the linter refuses, by rule and place', async () => {
    const bad = templateDocument('linted', { credentials: [databaseCredential('nowhere')] });
    const findings = (await send('POST /templates/lint', bad)).body.findings as JsonObject[];
    const errors = findings.filter(({ severity }) => severity === 'error');
    expect(errors).toEqual([
      expect.objectContaining({ rule: expect.stringMatching(/^MF\d+$/), pointer: '/spec/credentials/0/connection' }),
    ]);
    expect(await send('GET /templates/linted')).toMatchObject({ status: 404 });

    await send('POST /templates', bad);
    const answer = await sendNow('POST /templates/linted/publish', undefined, publisher);
    expect(answer).toMatchObject({ status: 422, body: { type: 'urn:mayfly:problem:invalid_template' } });
    expect(answer.body.errors).toEqual([
      { pointer: '/spec/credentials/0/connection', detail: expect.stringContaining(errors[0]?.rule as string) },
    ]);
    expect((await send('GET /templates/linted')).body).toMatchObject({ state: 'draft', inForce: null });
  });
});

describe('a published version', () => {
  it('a published version cannot be changed in the database by any role', async () => {
    await published('kept');
    const change = `UPDATE template_version SET spec = '{}' WHERE name = 'kept'`;
    for (const url of [broker.database.url, broker.database.adminUrl]) {
      await expect(rowsOf(url, change)).rejects.toMatchObject({ code: '42501' });
      await expect(rowsOf(url, 'DELETE FROM template_version')).rejects.toMatchObject({ code: '42501' });
    }
  });

  it('a published version stays with the tasks that run, while new ones get the next', async () => {
    await published('renewed');
    const running = (await ask('renewed')).body;
    const shorter = templateDocument('renewed', { lifetime: { defaultSeconds: 30, maxSeconds: 30 } });
    expect((await sendNow('PUT /templates/renewed', shorter)).body).toMatchObject({ inForce: { version: 1 } });
    await sendNow('POST /templates/renewed/publish', undefined, publisher);

    const next = (await ask('renewed')).body;
    expect(next).toMatchObject({ template: { version: 2 }, lifetime: { grantedSeconds: 30 } });
    const kept = await broker.send(`GET /tasks/${running.id as string}`, { token: broker.agentToken('first') });
    expect(kept.body).toMatchObject({ state: 'active', template: { version: 1 }, expiresAt: running.expiresAt });
  });

  it('a published version is listed, the newest first, and compared with others and with the draft', async () => {
    await sendNow('PUT /templates/renewed', templateDocument('renewed', { description: 'A third time.' }));
    const page = (await send('GET /templates/renewed/versions?limit=1')).body;
    expect(page.items).toMatchObject([{ version: 2 }]);
    const last = (await send(`GET /templates/renewed/versions?cursor=${page.nextCursor as string}`)).body;
    expect(last).toMatchObject({ items: [{ version: 1 }], nextCursor: null });
    expect((await send('GET /templates/renewed/diff?from=1&to=2')).body).toEqual({
      from: 1,
      to: 2,
      differences: [
        { pointer: '/spec/lifetime/defaultSeconds', before: 300, after: 30 },
        { pointer: '/spec/lifetime/maxSeconds', before: 600, after: 30 },
      ],
    });
    const { body } = await send('GET /templates/renewed/diff?from=1&to=draft');
    const differences = [{ pointer: '/spec/description', before: 'Read cases.', after: 'A third time.' }];
    expect(body).toEqual({ from: 1, to: 'draft', differences });
    expect(await send('GET /templates/renewed/diff?from=1&to=9')).toMatchObject({ status: 404 });
    expect(await send('GET /templates/renewed/diff?from=x&to=2')).toMatchObject({ status: 400 });
    expect(await send('GET /templates/renewed/versions/9')).toMatchObject({ status: 404 });
    expect(await send('GET /templates/nobody/versions')).toMatchObject({ status: 404 });
  });
});

describe('a retired template', () => {
  it('a retired template grants nothing new and changes no more; what runs, runs on', async () => {
    await published('ended');
    const running = (await ask('ended')).body;
    expect(await send('POST /templates/ended/retire')).toMatchObject({ status: 200, body: { state: 'retired' } });
    expect(await send('POST /templates/ended/retire')).toMatchObject({ status: 200, body: { inForce: null } });
    expect(await ask('ended')).toMatchObject({ status: 404 });
    const kept = await broker.send(`GET /tasks/${running.id as string}`, { token: broker.agentToken('first') });
    expect(kept.body).toMatchObject({ state: 'active' });
    expect(await sendNow('PUT /templates/ended', templateDocument('ended'))).toMatchObject({ status: 409 });
    expect(await sendNow('POST /templates/ended/publish', undefined, publisher)).toMatchObject({ status: 409 });
    expect((await send('GET /templates/ended/versions/1')).body).toMatchObject({ version: 1 });
  });
});

describe('templates', () => {
  const READS = ['', '/kept', '/kept/versions', '/kept/versions/1', '/kept/diff?from=1&to=1'];
  const WRITES = ['POST /templates', 'POST /templates/lint', 'PUT /templates/kept', 'POST /templates/kept/publish'];

  it.each(['operator', 'auditor', 'approver'] as const)(
    'templates are read and not written by the role %s',
    async (role) => {
      const token = broker.personToken(role);
      for (const path of READS) {
        expect(await broker.send(`GET /templates${path}`, { token })).toMatchObject({ status: 200 });
      }
      for (const route of [...WRITES, 'POST /templates/kept/retire']) {
        const headers = { 'if-match': '*' };
        const answer = await broker.send(route, { token, headers, body: templateDocument('kept') });
        expect(answer).toMatchObject({ status: 403 });
      }
    },
  );

  it('templates show no agent their policy', async () => {
    const token = broker.agentToken('first');
    for (const path of [...READS, '/drafted/draft']) {
      expect(await broker.send(`GET /templates${path}`, { token })).toMatchObject({ status: 403 });
    }
  });

  it('templates are listed by name', async () => {
    const { body } = await send('GET /templates?limit=200');
    const names = (body.items as JsonObject[]).map(({ name }) => name);
    expect(names).toEqual([...names].sort());
    expect(names).toEqual(expect.arrayContaining(['drafted', 'ended', 'kept']));
  });
});
